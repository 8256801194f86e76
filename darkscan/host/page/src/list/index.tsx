export function ListView() {
  return <h1>Scans</h1>;
}
