#include "experiments/report/sort_script.h"

namespace sono {

// A cell sorts by the first number in it where the column has numbers only
// (and dashes for what is missing, which come last), else by its text.
std::string_view sort_script() {
  return R"js(
document.querySelectorAll("table").forEach(table => {
  const body = table.tBodies[0];
  const heads = [...table.querySelectorAll("thead th")];
  const text = (row, i) => row.cells[i].textContent.trim();
  const number = t => {
    const m = t.replace(/\u2212/g, "-").match(/^[+-]?\d+(\.\d+)?/);
    return m ? parseFloat(m[0]) : NaN;
  };
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(h => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows];
      const missing = row => /^(\u2013|-|)$/.test(text(row, i));
      const numeric = rows.every(r => missing(r) || !isNaN(number(text(r, i))));
      rows.sort((a, b) => {
        if (missing(a) || missing(b)) return missing(a) - missing(b);
        const order = numeric
          ? number(text(a, i)) - number(text(b, i))
          : text(a, i).localeCompare(text(b, i));
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
});
)js";
}

}  // namespace sono
