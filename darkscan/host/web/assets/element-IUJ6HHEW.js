import{g as n}from"/assets/chunk-2ZLW4SIV.js";function e({scanId:t}){return n("p",{class:"waiting",children:t})}export{e as default};
