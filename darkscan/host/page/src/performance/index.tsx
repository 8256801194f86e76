export default function PerformanceView({ scanId }: { scanId: string }) {
  return <h1>{scanId}</h1>;
}
