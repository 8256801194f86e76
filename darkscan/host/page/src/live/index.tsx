export function LiveView({ scanId }: { scanId: string }) {
  return <h1>{scanId}</h1>;
}
