/**
 * Median round-trip times between cloud regions, milliseconds: "Azure network round-trip latency statistics", P50 over the
 * 30 days that ended on 30 July 2026, https://learn.microsoft.com/azure/networking/azure-network-latency (CC BY 4.0). Here
 * by the city or state of each region; a node's city is drawn evenly.
 */
export const CITIES = [
  "Virginia",
  "California",
  "São Paulo",
  "London",
  "Amsterdam",
  "Frankfurt",
  "Pune",
  "Singapore",
  "Tokyo",
  "Sydney",
  "Johannesburg",
] as const;

/** Row i: from city i to the ones after it. Regions: East US, West US, Brazil South, UK South, West Europe, … */
const ROUND_TRIPS_MS: readonly (readonly number[])[] = [
  [69, 117, 78, 83, 94, 198, 224, 162, 201, 219],
  [169, 140, 145, 152, 218, 170, 108, 140, 273],
  [181, 185, 198, 304, 331, 262, 295, 321],
  [11, 17, 141, 167, 229, 261, 164],
  [11, 140, 169, 233, 265, 166],
  [139, 166, 235, 266, 165],
  [53, 122, 145, 131],
  [72, 95, 177],
  [103, 251],
  [328],
];

/** Within a city; not in the source, which has no figure for it. */
const WITHIN_CITY_MS = 2;

export function roundTripMs(a: number, b: number): number {
  if (a === b) return WITHIN_CITY_MS;
  const [from, to] = a < b ? [a, b] : [b, a];
  const ms = ROUND_TRIPS_MS[from]?.[to - from - 1];
  if (ms === undefined) throw new RangeError(`no such cities: ${a}, ${b}`);
  return ms;
}
