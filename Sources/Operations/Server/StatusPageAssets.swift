/// The style and the script of the status page: no other file, no font, no host is asked for anything.
enum StatusPageAssets {
  static let style: HTML = """
    :root{--ground:#f7f7f5;--card:#fff;--ink:#1d2024;--soft:#666c75;--line:#e4e4df;
    --good:#1a7f4b;--good-bg:#e5f4ec;--waiting:#8f5f00;--waiting-bg:#fdf1d6;--bad:#b42318;--bad-bg:#fdeae7;--code:#f1f1ed}
    @media (prefers-color-scheme:dark){:root{--ground:#131517;--card:#1b1e21;--ink:#e8e9ea;--soft:#9aa0a8;--line:#2c3034;
    --good:#57c98c;--good-bg:#15301f;--waiting:#e6b450;--waiting-bg:#33270c;--bad:#ff8b7e;--bad-bg:#3b1a17;--code:#121416}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--ground);color:var(--ink);
    font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",Arial,sans-serif}
    main{max-width:1000px;margin:0 auto;padding:28px 20px 40px}
    header{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:4px 24px;margin-bottom:18px}
    h1{font-size:20px;letter-spacing:-.01em;margin:0}
    header p,footer p{margin:0;color:var(--soft)}header p,footer .links{display:flex;flex-wrap:wrap;gap:2px 18px}
    header b{color:var(--ink);font-weight:600}
    h2{font-size:15px;margin:0 0 10px}h2 small{font-size:13px;font-weight:400;color:var(--soft);margin-left:8px}
    section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin:0 0 16px}
    .banner{display:flex;align-items:center;gap:18px;border:0;padding:22px 24px}
    .banner h2{font-size:24px;line-height:1.2;letter-spacing:-.02em;margin:0}.banner p{margin:4px 0 0}
    .banner.good{background:var(--good-bg)}.banner.good h2{color:var(--good)}
    .banner.waiting{background:var(--waiting-bg)}.banner.waiting h2{color:var(--waiting)}
    .banner.bad{background:var(--bad-bg)}.banner.bad h2{color:var(--bad)}
    .mark{flex:none;width:44px;height:44px;border-radius:50%;padding:9px;background:var(--good)}
    .waiting .mark{background:var(--waiting)}.bad .mark{background:var(--bad)}
    .mark svg{display:block;fill:none;stroke:var(--card);stroke-width:3;stroke-linecap:round;stroke-linejoin:round}
    section:has(.notices){background:none;border:0;padding:0}
    .notices{list-style:none;margin:0;padding:0;display:grid;gap:10px}
    .notices li{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--waiting);
    border-radius:10px;padding:14px 18px}
    .notices li.bad{border-left-color:var(--bad)}
    .notices h3{font-size:15px;margin:0}.notices p{margin:2px 0 0;color:var(--soft)}
    pre{margin:10px 0 0;padding:9px 12px;background:var(--code);border:1px solid var(--line);border-radius:7px;
    white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace}
    .scroll{overflow-x:auto}
    table{border-collapse:collapse;width:100%}
    th,td{text-align:left;padding:8px 14px 8px 0;border-top:1px solid var(--line);vertical-align:baseline}
    thead th{border-top:0;padding-top:0;font-size:13px;font-weight:400;color:var(--soft);white-space:nowrap}
    tbody th{font-weight:600}
    th:last-child,td:last-child{padding-right:0}
    .number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
    td.zero{color:var(--soft)}td.waiting{color:var(--waiting);font-weight:600}td.bad{color:var(--bad);font-weight:600}
    small{display:block;font-size:13px;font-weight:400;color:var(--soft)}h2 small{display:inline}
    .pill{display:inline-block;padding:1px 10px;border-radius:99px;font-size:13px;white-space:nowrap}
    .pill.good{background:var(--good-bg);color:var(--good)}.pill.waiting{background:var(--waiting-bg);color:var(--waiting)}
    .pill.bad{background:var(--bad-bg);color:var(--bad)}
    .proof tr:first-child td{border-top:0}.proof i{font-style:normal;color:var(--soft);padding:0 4px}
    .proof td{color:var(--soft)}.proof td b{color:var(--ink)}.proof .number b{font-size:19px}
    .proof .good .number b,.proof .good .tick{color:var(--good)}.proof .bad .number b,.proof .bad .tick{color:var(--bad)}
    .tick{width:28px;text-align:right;font-weight:700}
    .tiles{list-style:none;margin:0 0 14px;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(40px,1fr));gap:5px}
    .tiles li{padding:6px 0;border-radius:6px;text-align:center;font-size:13px;font-variant-numeric:tabular-nums;
    background:var(--good-bg);color:var(--good)}
    .tiles .waiting{background:var(--waiting-bg);color:var(--waiting);font-weight:600}
    .tiles .bad{background:var(--bad);color:var(--card);font-weight:700}
    details{margin-top:10px}summary{cursor:pointer;color:var(--soft);margin-bottom:10px}
    .quiet{color:var(--soft);margin:0}.notices+.quiet{margin:10px 0 0}
    footer{display:flex;flex-wrap:wrap;justify-content:space-between;gap:4px 24px;font-size:13px;padding:4px 2px}
    a{color:inherit}
    #lost{position:fixed;left:0;right:0;bottom:0;margin:0;padding:10px 20px;background:var(--bad);color:var(--card);text-align:center}
    #lost[hidden]{display:none}
    """

  /// Every 3 seconds: has the status changed? Then the page is fetched again, rendered by the server as before, and put
  /// in place; what was unfolded stays so.
  static let script: HTML = """
    (() => {
      let last = '', seen = new Date();
      const lost = document.getElementById('lost');
      const ask = async path => {
        const reply = await fetch(path, {cache: 'no-store', signal: AbortSignal.timeout(5000)});
        if (!reply.ok) throw new Error(reply.status);
        return reply.text();
      };
      const refresh = async () => {
        try {
          const now = await ask('/v1/status');
          if (now !== last) {
            const text = await ask('/');
            const part = text.slice(text.indexOf('<main'), text.indexOf('</main>') + 7);
            const page = new DOMParser().parseFromString(part, 'text/html');
            document.querySelectorAll('details[open]').forEach(d => {
              const same = page.getElementById(d.id);
              if (same) same.open = true;
            });
            const main = document.adoptNode(page.querySelector('main'));
            document.querySelector('main').replaceWith(main);
            document.title = main.dataset.title;
            last = now;
          }
          seen = new Date();
          lost.hidden = true;
        } catch {
          lost.querySelector('time').textContent = seen.toLocaleTimeString();
          lost.hidden = false;
        }
        setTimeout(refresh, 3000);
      };
      setTimeout(refresh, 3000);
    })();
    """
}
