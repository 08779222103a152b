#include "experiments/report/style.h"

namespace sono {

std::string_view report_style() {
  return R"css(
:root {
  color-scheme: light dark;
  --paper: #f7f8f8; --card: #ffffff; --ink: #17202a; --soft: #5b6773;
  --rule: #dfe4e8; --accent: #0b6e7f; --warn: #9a5b00; --warn-paper: #fdf4e3;
  --a0: #7a858f; --a1: #1f5fa8; --a2: #8a6fc0; --a3: #5d4a9c; --a4: #c77700;
  --a5: #3f8f3a; --a6: #a8527f; --a7: #c2367a; --a8: #0b8a8f; --a9: #444c55;
  --b0: #98a1aa; --b1: #b3a394;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #11161a; --card: #1a2127; --ink: #e6ebef; --soft: #9aa7b2;
    --rule: #2d3740; --accent: #4fc0d0; --warn: #f0b95b; --warn-paper: #2b2414;
    --a0: #9aa5af; --a1: #6ea8ec; --a2: #b9a2ea; --a3: #9a86dd; --a4: #f2a33c;
    --a5: #7cc777; --a6: #d88bb2; --a7: #f178ac; --a8: #43c6c9; --a9: #c3cbd3;
    --b0: #7d8791; --b1: #93867a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 64px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.2rem; margin: 44px 0 10px; padding-top: 14px;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 22px 0 6px; }
p { max-width: 72ch; margin: 8px 0; }
.soft, figcaption, .small { color: var(--soft); }
.small, figcaption { font-size: .84rem; line-height: 1.4; }
.card { background: var(--card); border: 1px solid var(--rule);
  border-radius: 10px; padding: 16px 20px; margin: 16px 0; }
.notice { background: var(--warn-paper); border-left: 4px solid var(--warn);
  border-radius: 4px; padding: 10px 14px; margin: 10px 0; }
.verdict { display: grid; grid-template-columns: auto 1fr; gap: 4px 28px;
  align-items: center; }
.verdict .figure { font-size: 2.6rem; font-weight: 650; line-height: 1.1;
  color: var(--accent); font-variant-numeric: tabular-nums; }
.verdict .figure small { display: block; font-size: .84rem; font-weight: 400;
  color: var(--soft); }
.verdict svg.bar { width: 200px; }
ul.findings { padding-left: 1.2em; max-width: 76ch; }
ul.findings li { margin: 5px 0; }
.scroll { overflow-x: auto; margin: 8px 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  width: 100%; }
th, td { text-align: left; padding: 7px 14px 7px 0; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
thead th { font-size: .84rem; color: var(--soft); font-weight: 500;
  vertical-align: bottom; }
tbody th { font-weight: 600; white-space: nowrap; }
thead button { font: inherit; color: inherit; background: none; border: 0;
  padding: 0; text-align: left; cursor: pointer; }
thead button:hover { color: var(--ink); }
th[aria-sort="ascending"] button::after { content: " \2191"; }
th[aria-sort="descending"] button::after { content: " \2193"; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
td b { font-size: 1.08rem; font-weight: 650; }
td .small { white-space: nowrap; display: block; }
.missed { color: var(--warn); }
tr.blind th, tr.blind td { background:
  color-mix(in srgb, var(--rule) 35%, transparent); }
tr.blind th { padding-left: 8px; font-style: italic; font-weight: 500; }
.key { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
  background: var(--arm); margin-right: .5em; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: .88rem; }
.charts { display: grid; grid-template-columns: repeat(2, 1fr); gap: 16px; }
.charts figure, .pictures figure { margin: 0; }
.charts h3 { margin-top: 8px; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--rule); }
svg circle { fill: var(--arm, var(--accent)); }
svg .whisker { stroke: var(--arm, var(--accent)); stroke-width: 2; opacity: .7; }
svg .curve { fill: none; stroke: var(--arm); stroke-width: 2; }
svg .level { stroke: var(--arm); stroke-width: 1.6; stroke-dasharray: 6 4; }
svg .zero { stroke: var(--soft); stroke-dasharray: 2 2; }
svg.bar { width: 160px; height: 20px; }
.pictures { display: grid; gap: 20px; }
.pictures img { width: 100%; height: auto; border-radius: 6px;
  border: 1px solid var(--rule); background: #000; }
.pictures figcaption b { color: var(--ink); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px;
  margin: 8px 0; font-size: .9rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere;
  font-family: ui-monospace, "SF Mono", Menlo, monospace; font-size: .84rem; }
.arm-0 { --arm: var(--a0); } .arm-1 { --arm: var(--a1); }
.arm-2 { --arm: var(--a2); } .arm-3 { --arm: var(--a3); }
.arm-4 { --arm: var(--a4); } .arm-5 { --arm: var(--a5); }
.arm-6 { --arm: var(--a6); } .arm-7 { --arm: var(--a7); }
.arm-8 { --arm: var(--a8); } .arm-9, .arm-10, .arm-11 { --arm: var(--a9); }
.arm-100 { --arm: var(--b0); } .arm-101 { --arm: var(--b1); }
@media (max-width: 720px) {
  main { padding: 18px 14px 48px; }
  .charts { grid-template-columns: 1fr; }
  .verdict { grid-template-columns: 1fr; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 8px; }
}
@media print { body { background: none; } .card { break-inside: avoid; } }
)css";
}

}  // namespace sono
