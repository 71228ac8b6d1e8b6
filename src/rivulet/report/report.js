"use strict";
// The page's own interaction: switches of the heat map, sortable and filtered tables, saving of
// figures and tables. Everything is there without it; nothing is loaded from anywhere.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("data").textContent);

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const drawn = (tag, attributes, text) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // --- Saving
  const save = (name, type, text) => {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = element("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };
  const fileName = (title, ending) =>
    title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "") + ending;
  const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const words = (node) => node.textContent.replace(/\s+/g, " ").trim();

  const saveTable = (table, title) => {
    const rows = [];
    let group = "";
    const grouped = table.querySelector('th[scope="rowgroup"]') !== null;
    for (const row of table.rows) {
      const cells = [...row.cells];
      if (cells.length === 1 && cells[0].scope === "rowgroup") {
        group = words(cells[0]);
        continue;
      }
      const texts = cells.flatMap((cell) => [words(cell), ...Array(cell.colSpan - 1).fill("")]);
      if (grouped) texts.unshift(row.parentElement.tagName === "THEAD" ? "Group" : group);
      rows.push(texts.map(quoted).join(","));
    }
    save(fileName(title, ".csv"), "text/csv", rows.join("\n") + "\n");
  };
  const saveFigure = (figure, title) => {
    const copy = figure.cloneNode(true);
    const box = copy.viewBox.baseVal;
    copy.setAttribute("xmlns", SVG);
    copy.setAttribute("width", box.width);
    copy.setAttribute("height", box.height);
    copy.setAttribute("color", "#000000");
    copy.removeAttribute("style");
    const back = { x: box.x, y: box.y, width: box.width, height: box.height, fill: "#ffffff" };
    copy.insertBefore(drawn("rect", back), copy.querySelector(":scope > :not(title):not(desc)"));
    save(fileName(title, ".svg"), "image/svg+xml", new XMLSerializer().serializeToString(copy));
  };
  const button = (text, label, work) => {
    const made = element("button", { type: "button", "aria-label": label }, text);
    made.addEventListener("click", work);
    return made;
  };
  const addSaving = () => {
    for (const table of document.querySelectorAll("table:not(#kernel-table)")) {
      const title = words(table.caption);
      table.closest(".scroll").after(
        element("p", { class: "save" },
          button("Save as CSV", table.id ? "Save the heat map's table as CSV" : `Save as CSV: ${title}`,
            () => saveTable(table, words(table.caption)))),
      );
    }
    for (const figure of document.querySelectorAll("figure")) {
      const title = words(figure.querySelector("figcaption"));
      figure.append(
        element("p", { class: "save" },
          button("Save as SVG", `Save as SVG: ${title}`, () =>
            saveFigure(figure.querySelector("svg"), words(figure.querySelector("figcaption"))))),
      );
    }
  };

  // --- Tables that are sorted by a click on a column's head
  const comparable = (text) => {
    const number = Number.parseFloat(text.replace(/^[>≈ ]+/, ""));
    return Number.isNaN(number) ? null : number;
  };
  const compare = (left, right) => {
    const [a, b] = [comparable(left), comparable(right)];
    if (a !== null && b !== null) return a - b;
    if (a !== null || b !== null) return a !== null ? -1 : 1;
    return left.localeCompare(right);
  };
  const makeSortable = (head, sort) => {
    const columns = [...head.cells];
    columns.forEach((cell, column) => {
      const inside = element("button", { type: "button", class: "sort" });
      inside.append(...cell.childNodes);
      cell.append(inside);
      inside.addEventListener("click", () => {
        const down = cell.getAttribute("aria-sort") === "ascending";
        for (const other of columns) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(column, down ? -1 : 1);
      });
    });
  };
  const sortRows = (table) => {
    const body = table.tBodies[0];
    makeSortable(table.tHead.rows[0], (column, sign) => {
      const rows = [...body.rows];
      const missing = (row) => words(row.cells[column]) === "–";
      rows.sort((a, b) => Number(missing(a)) - Number(missing(b))
        || sign * compare(words(a.cells[column]), words(b.cells[column])));
      body.append(...rows);
    });
  };

  // --- The table of all kernels: filtered, sorted, and shown a part at a time
  const STEP = 100;
  const kernelTable = () => {
    const place = document.getElementById("kernel-table");
    if (!place) return;
    const { columns, names, rows } = data.kernels;
    const value = (row, column) => {
      const cell = row[column];
      return names[column] && cell !== null ? names[column][cell] : cell;
    };
    const text = (row, column) => {
      const cell = value(row, column);
      if (cell === null || cell === "") return "–";
      return columns[column].share ? `${(cell * 100).toFixed(1)} %` : String(cell);
    };
    let chosen = rows;
    let shown = STEP;
    const body = place.querySelector("tbody");
    const told = document.getElementById("kernel-count");
    const more = document.getElementById("kernel-more");
    const show = () => {
      const made = chosen.slice(0, shown).map((row) => {
        const line = element("tr");
        columns.forEach((column, number) => {
          const cell = element(column.head ? "th" : "td", column.number ? { class: "n" } : {});
          if (column.head) cell.scope = "row";
          const schedule = column.link ? row[columns.length] : null;
          if (schedule !== null && schedule !== undefined) {
            cell.append(element("a", { href: data.kernels.pages[schedule] + "#" + value(row, number) }, text(row, number)));
          } else cell.append(text(row, number));
          line.append(cell);
        });
        return line;
      });
      body.replaceChildren(...made);
      told.textContent = `${chosen.length} of ${rows.length} rows match; ` +
        `${Math.min(shown, chosen.length)} are shown.`;
      more.hidden = shown >= chosen.length;
    };
    const fields = [...document.querySelectorAll("#kernel-filters select, #kernel-filters input")];
    const filter = () => {
      const wanted = fields.filter((field) => field.value !== "");
      chosen = rows.filter((row) =>
        wanted.every((field) => {
          if (field.tagName === "SELECT") return text(row, Number(field.dataset.column)) === field.value;
          const sought = field.value.toLowerCase();
          return columns.some((_, column) => text(row, column).toLowerCase().includes(sought));
        }));
      shown = STEP;
      show();
    };
    for (const field of fields) {
      if (field.tagName === "SELECT") {
        const column = Number(field.dataset.column);
        const found = [...new Set(rows.map((row) => text(row, column)))].sort(compare);
        field.append(...found.map((one) => element("option", { value: one }, one)));
      }
      field.addEventListener("input", filter);
    }
    makeSortable(place.querySelector("thead tr"), (column, sign) => {
      const empty = (cell) => cell === null || cell === "";
      const order = (a, b) => {
        const [left, right] = [value(a, column), value(b, column)];
        if (empty(left) || empty(right)) return Number(empty(left)) - Number(empty(right));
        return sign * (typeof left === "number" && typeof right === "number"
          ? left - right : String(left).localeCompare(String(right)));
      };
      rows.sort(order);
      filter();
    });
    more.addEventListener("click", () => { shown += STEP; show(); });
    const all = document.getElementById("kernel-save");
    all.addEventListener("click", () => {
      const lines = chosen.map((row) => columns.map((_, c) => quoted(String(value(row, c) ?? ""))).join(","));
      save("kernels.csv", "text/csv",
        [columns.map((column) => column.name).join(","), ...lines].join("\n") + "\n");
    });
    show();
  };

  // --- The heat map: one quantity of one setting at a time, as a figure and as a table
  const SHADES = ["#e4eef8", "#c3dbf0", "#8fbbe3", "#5c97cc", "#2f74b5", "#1f5790", "#123a66"];
  const heatMap = () => {
    const place = document.getElementById("heat-figure");
    if (!place) return;
    const setting = document.getElementById("heat-setting");
    const quantity = document.getElementById("heat-quantity");
    const caption = document.getElementById("heat-caption");
    const explained = document.getElementById("heat-explained");
    const table = document.getElementById("heat-table");
    const draw = () => {
      const chosen = data.heat.settings[Number(setting.value)];
      const kind = data.heat.quantities[Number(quantity.value)];
      const title = `${kind.title}: ${chosen.name}`;
      caption.textContent = title;
      const sources = [...new Set(chosen.cells.map((cell) => cell.source))].sort();
      const targets = [...new Set(chosen.cells.map((cell) => cell.target))].sort();
      const at = new Map(chosen.cells.map((cell) => [`${cell.source}\n${cell.target}`, cell]));
      explained.textContent = kind.read;
      // A latency or a time is the better the lower it is, and the better the darker, among the
      // sources of one target: between targets it says nothing of sources.
      const range = new Map(targets.map((target) => {
        const numbers = chosen.cells.filter((cell) => cell.target === target)
          .map((cell) => cell[kind.key]).filter((one) => one !== null);
        return [target, kind.most === undefined
          ? [Math.min(...numbers), Math.max(...numbers)] : [0, kind.most]];
      }));
      const shade = (target, number) => {
        const [least, most] = range.get(target);
        const share = most > least ? (number - least) / (most - least) : kind.low ? 0 : 1;
        return Math.round(Math.min(Math.max(kind.low ? 1 - share : share, 0), 1) * (SHADES.length - 1));
      };
      const text = (cell) => {
        if (!cell) return "";
        if (cell.failed) return "failed";
        const number = cell[kind.key];
        if (number === null) return "–";
        const digits = kind.percent ? `${Math.round(number * 100)} %`
          : Math.abs(number) >= 100 ? number.toFixed(0) : number.toPrecision(3);
        return kind.key === "share" && cell.same ? `${digits} ≈` : digits;
      };
      const room = 18 + 8.4 * Math.max(...sources.map((one) => one.length));
      const above = 18 + 5.4 * Math.max(...targets.map((one) => one.length));
      const [wide, high] = [68, 30];
      const [width, height] = [room + wide * targets.length + 60, above + high * sources.length + 8];
      const svg = drawn("svg", {
        viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "heat-title",
        style: `width: ${width}px; min-width: ${Math.round(0.8 * width)}px`, fill: "currentColor",
        "font-family": "system-ui, sans-serif", "font-size": 13,
      });
      svg.append(drawn("title", { id: "heat-title" }, `${title}; the table below has the numbers`));
      targets.forEach((target, column) => {
        const [x, y] = [room + wide * (column + 0.5), above - 8];
        svg.append(drawn("text", { x, y, transform: `rotate(-30 ${x} ${y})` }, target));
      });
      sources.forEach((source, row) => {
        const y = above + high * row;
        svg.append(drawn("text", { x: room - 8, y: y + 20, "text-anchor": "end" }, source));
        targets.forEach((target, column) => {
          const cell = at.get(`${source}\n${target}`);
          if (!cell) return;
          const number = cell.failed ? null : cell[kind.key];
          const box = { x: room + wide * column + 1, y: y + 1, width: wide - 2, height: high - 2 };
          const place = number === null ? null : shade(target, number);
          svg.append(drawn("rect", { ...box, fill: place === null ? "none" : SHADES[place],
            stroke: place === null ? "#8a8f98" : "none", "stroke-dasharray": "2 2" }));
          svg.append(drawn("text", { x: box.x + wide / 2 - 1, y: y + 20, "text-anchor": "middle",
            fill: place === null ? "currentColor" : place > 3 ? "#fefefe" : "#101418" }, text(cell)));
        });
      });
      place.replaceChildren(svg);
      table.caption.querySelector("span").textContent = `${title}; sources down, targets across`;
      table.tHead.replaceChildren(element("tr", {}, element("th", { scope: "col" }, "Source"),
        ...targets.map((target) => element("th", { scope: "col", class: "n" }, target))));
      table.tBodies[0].replaceChildren(...sources.map((source) =>
        element("tr", {}, element("th", { scope: "row" }, source),
          ...targets.map((target) =>
            element("td", { class: "n" }, text(at.get(`${source}\n${target}`)) || "–")))));
    };
    setting.addEventListener("input", draw);
    quantity.addEventListener("input", draw);
    draw();
  };

  document.documentElement.classList.add("scripted");
  heatMap();
  kernelTable();
  for (const table of document.querySelectorAll("table.sortable")) sortRows(table);
  addSaving();
})();
