/** The batch sizes that were weighed, as a page shows them: verdicts, and rows that say the same folded. */
import type { BatchCandidate } from "../contract.ts";

export type Verdict = "built" | "feasible" | "not feasible" | "does not fit";

export interface Folded {
  readonly first: BatchCandidate;
  readonly last: BatchCandidate;
  readonly verdict: Verdict;
}

export function verdictOf(candidate: BatchCandidate, actual: number | null): Verdict {
  if (candidate.batch_size === actual) return "built";
  if (candidate.feasible) return "feasible";
  return candidate.status === "does_not_fit" ? "does not fit" : "not feasible";
}

/** Neighbouring rows become one where they say the same; what was scheduled has numbers of its own and stands alone. */
export function folded(candidates: readonly BatchCandidate[], actual: number | null): Folded[] {
  const rows: Folded[] = [];
  const sorted = [...candidates].sort((one, other) => one.batch_size - other.batch_size);
  for (const candidate of sorted) {
    const verdict = verdictOf(candidate, actual);
    const before = rows.at(-1);
    const isSame =
      before?.verdict === verdict &&
      verdict !== "built" &&
      candidate.status !== "scheduled" &&
      candidate.batch_size === before.last.batch_size + 1 &&
      gist(candidate) === gist(before.last);
    if (isSame && before) rows[rows.length - 1] = { ...before, last: candidate };
    else rows.push({ first: candidate, last: candidate, verdict });
  }
  return rows;
}

/** What a row says, without the numbers that only repeat its size. */
function gist(candidate: BatchCandidate): string {
  const tensors = (candidate.limiting_tensors ?? []).map(tensor => tensor.name);
  const reason = (candidate.reason ?? "").replaceAll(/[0-9.,]+/g, "#");
  return [candidate.status, candidate.limiting_layer, ...tensors, reason].join("|");
}
