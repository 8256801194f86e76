// The deep zoom view.

export default function ElementView({ scanId }: { scanId: string }) {
  return <p class="waiting">{scanId}</p>;
}
