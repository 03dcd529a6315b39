/** What the chart says: names and filters in plain words, numbers with their units. */

const CURRENCIES = new Set(Intl.supportedValuesOf?.("currency"));

export const plain = (name) => name.replaceAll("_", " ");

export const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** What a figure is called above its numbers. */
export const headed = ({ title, unit }) => capital(title) + (unit && ` (${unit})`);

/** Functions that write the values of each figure, by its name: as exactly as they differ. */
export function writers({ figures, series }, locale) {
  return Object.fromEntries(figures.map(({ name, unit }) => {
    const values = series.flatMap((line) => line[name]).filter((value) => value != null);
    const size = Math.max(...values) - Math.min(...values) || Math.abs(values[0] ?? 0);
    const digits = values.length && size ? Math.min(2, Math.max(0, 1 - Math.floor(Math.log10(size)))) : 0;
    return [name, writer(unit, unit === "%" ? Math.max(1, digits) : digits, locale)];
  }));
}

/** The labels of an axis; what stands behind a number is told by the heading, but for a per cent. */
export function labelsOf(ticks, unit, locale) {
  const digits = ticks.length > 1 ? Math.max(0, Math.ceil(-Math.log10(ticks[1] - ticks[0]) - 1e-9)) : 2;
  return ticks.map(writer(unit === "%" || CURRENCIES.has(unit) ? unit : "", digits, locale));
}

/** The filters that were applied: `city Lisbon`, `price of a night at least $100`. */
export function filtered({ filters, figures }, locale) {
  return Object.entries(filters ?? {}).map(([name, said]) => {
    const [, column, end] = /^(.+)_(min|max)$/.exec(name) ?? [];
    if (!column || typeof said !== "number") return `${plain(name.replace(/_contains$/, ""))} ${said}`;
    const { title, unit } = figures.find((figure) => figure.name === column) ?? { title: plain(column), unit: "" };
    return `${title} ${end === "min" ? "at least" : "at most"} ${writer(unit, 10, locale)(said)}`;
  });
}

function writer(unit, digits, locale = "en") {
  const currency = CURRENCIES.has(unit);
  const { format } = new Intl.NumberFormat(locale, {
    ...(currency && { style: "currency", currency: unit }),
    // Cents are written as two digits or not at all.
    maximumFractionDigits: currency && digits ? Math.max(2, digits) : digits,
  });
  return (value) => {
    if (value == null) return "–";
    return unit && !currency ? `${format(value)} ${unit}` : format(value);
  };
}
