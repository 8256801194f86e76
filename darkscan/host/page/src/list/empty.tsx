/** What to do where nothing has been kept yet. */
export function Empty() {
  const host = location.hostname;
  return (
    <section class="empty">
      <h1>No scan has come yet</h1>
      <p>
        This host keeps and shows what rigs send to it. On the computer of a rig, give the host's
        address to a scan, or to a replay of a recording:
      </p>
      <pre tabIndex={0} aria-label="Commands on the rig">
        <code>{`darkscan keys new                      # once on each computer: prints its public key
darkscan keys allow KEY NAME           # once on each: the other one's key

darkscan run --rig RIG.toml --out out/scan --host tcp://${host}:5580
darkscan replay RECORDING --out out/scan --host tcp://${host}:5580
darkscan send out/scan --host tcp://${host}:5580      # a scan that is over`}</code>
      </pre>
      <p>
        Port 5580 is the usual one; <code>darkscan host</code> names its own as it starts.{" "}
        <code>darkscan doctor</code> says what is missing. This page shows the scan as soon as it
        begins.
      </p>
    </section>
  );
}
