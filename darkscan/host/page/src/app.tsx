// The page: its head, the view that the address names, and what may lie over it.

import { useEffect } from "preact/hooks";
import { ConnectionBanner } from "./shared/connection";
import { Head } from "./shared/head";
import { KeyHelp, helpOpen, useShortcuts } from "./shared/keys";
import { Lazy } from "./shared/lazy";
import { Login } from "./shared/login";
import { Toasts } from "./shared/toasts";
import { ListView } from "./list";
import { LiveView } from "./live";
import { Link, navigate, pathOf, route } from "./router";

const loadElement = () => import("./element").then((module) => module.default);
const loadPerformance = () => import("./performance").then((module) => module.default);

function Current() {
  const { view, scan } = route.value;
  switch (view) {
    case "list":
      return <ListView />;
    case "live":
      return <LiveView key={scan} scanId={scan} />;
    case "element":
      return <Lazy load={loadElement} scanId={scan} />;
    case "performance":
      return <Lazy load={loadPerformance} scanId={scan} />;
    case "nowhere":
      return (
        <div class="waiting">
          <h1>Nothing is kept at this address</h1>
          <p>
            <Link href="/">All scans</Link>
          </p>
        </div>
      );
  }
}

export function App() {
  const { view, scan } = route.value;
  const open = (to: "element" | "live" | "performance") => () => {
    if (scan) navigate(pathOf(to, scan));
  };
  useShortcuts("Everywhere", [
    { keys: "?", does: "show these keys", run: () => (helpOpen.value = true) },
    { keys: "g s", does: "go to all scans", run: () => navigate("/") },
    { keys: "g l", does: "go to the scan, live", run: open("live") },
    { keys: "g e", does: "go to the element", run: open("element") },
    { keys: "g p", does: "go to its performance", run: open("performance") },
  ]);
  useEffect(() => {
    document.body.dataset.view = view;
  }, [view]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Head />
      <ConnectionBanner />
      <main id="main" tabIndex={-1}>
        <Current />
      </main>
      <Toasts />
      <Login />
      <KeyHelp />
    </>
  );
}
