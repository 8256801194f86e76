import{g as n}from"/assets/chunk-2ZLW4SIV.js";function r({scanId:e}){return n("h1",{children:e})}export{r as default};
