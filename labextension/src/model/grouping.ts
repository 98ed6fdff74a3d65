/** The members of each group as one flat list with offsets: which intervals belong to a layer, without one list each. */

export interface Groups {
  /** Members of group g: `members[offsets[g]]` up to, not including, `members[offsets[g + 1]]`. */
  readonly offsets: Uint32Array;
  readonly members: Uint32Array;
}

export function groupsOf(group: Int32Array, groups: number): Groups {
  const offsets = new Uint32Array(groups + 1);
  for (const at of group) {
    if (at >= 0 && at < groups) offsets[at + 1] = (offsets[at + 1] as number) + 1;
  }
  for (let at = 0; at < groups; at++) offsets[at + 1] = (offsets[at + 1] as number) + (offsets[at] as number);
  const next = offsets.slice();
  const members = new Uint32Array(offsets[groups] as number);
  for (let index = 0; index < group.length; index++) {
    const at = group[index] as number;
    if (at < 0 || at >= groups) continue;
    members[next[at] as number] = index;
    next[at] = (next[at] as number) + 1;
  }
  return { offsets, members };
}

export function sizeOf(groups: Groups, group: number): number {
  return (groups.offsets[group + 1] ?? 0) - (groups.offsets[group] ?? 0);
}

export function* membersOf(groups: Groups, group: number): Generator<number> {
  const end = groups.offsets[group + 1] ?? 0;
  for (let at = groups.offsets[group] ?? 0; at < end; at++) yield groups.members[at] as number;
}
