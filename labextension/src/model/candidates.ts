/** The batch sizes that were weighed, as a page shows them: verdicts, rows that say the same folded, answers to "why not". */
import type { ViewHead } from "../columns.ts";
import type { BatchCandidate } from "../contract.ts";
import { count, percent, size } from "./units.ts";

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
  const reason = (candidate.reason ?? "").replaceAll(/[\d.,]+/g, "#");
  return [candidate.status, candidate.limiting_layer, ...tensors, reason].join("|");
}

export function whyNotMore(candidates: readonly BatchCandidate[], head: ViewHead): string | null {
  const { actual_batch_size: actual, desired_batch_size: desired } = head.batch;
  if (actual === null || (desired !== null && actual >= desired)) return null;
  const next = candidates
    .filter(candidate => candidate.batch_size > actual)
    .sort((one, other) => one.batch_size - other.batch_size)[0];
  if (!next) return null;
  const tensors = (next.limiting_tensors ?? []).map(tensor =>
    tensor.bytes ? `${tensor.name} (${size(tensor.bytes)})` : tensor.name,
  );
  const where = next.limiting_layer ? ` The layer that limits it: ${next.limiting_layer}` : "";
  const what = tensors.length ? `${where ? ", with " : " Limiting: "}${tensors.join(", ")}` : "";
  return `${next.batch_size}: ${next.reason || verdictOf(next, actual)}.${where}${what}${where || what ? "." : ""}`;
}

/** A smaller size that needs fewer cycles per sample than the one that was built, and why it was not taken. */
export function whyNotFaster(candidates: readonly BatchCandidate[], head: ViewHead): string | null {
  const actual = head.batch.actual_batch_size;
  const built = candidates.find(candidate => candidate.batch_size === actual);
  if (!built?.cycles_per_sample) return null;
  const own = built.cycles_per_sample;
  const faster = candidates
    .filter(candidate => candidate.feasible && candidate.batch_size < built.batch_size)
    .filter(candidate => candidate.cycles_per_sample != null && candidate.cycles_per_sample < own)
    .sort((one, other) => (one.cycles_per_sample ?? 0) - (other.cycles_per_sample ?? 0))[0];
  if (!faster?.cycles_per_sample) return null;
  const gain = 1 - faster.cycles_per_sample / own;
  return (
    `Batch ${faster.batch_size} needs ${count(faster.cycles_per_sample)} cycles per sample where ${built.batch_size} needs ` +
    `${count(own)}: ${percent(gain)} fewer. The largest size within 1 % of the best smaller one is built; ask for ` +
    `${faster.batch_size} to get it.`
  );
}
