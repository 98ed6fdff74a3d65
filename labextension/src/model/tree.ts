/** The files of an archive as a tree, and the part of it that is open as a list in reading order. */
import type { FileRow } from "../contract.ts";

export interface Node {
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
  /** A key of `palette.roles`; folders have none. */
  readonly role: string;
  readonly children: readonly Node[];
}

export interface Item {
  readonly node: Node;
  readonly level: number;
  /** Null for files. */
  readonly open: boolean | null;
  readonly position: number;
  readonly siblings: number;
}

interface Growing {
  name: string;
  path: string;
  bytes: number;
  role: string;
  children: Map<string, Growing>;
}

export function treeOf(name: string, files: readonly FileRow[]): Node {
  const root: Growing = { name, path: "", bytes: 0, role: "", children: new Map() };
  for (const file of files) {
    let here = root;
    root.bytes += file.bytes;
    const parts = file.name.split("/").filter(Boolean);
    parts.forEach((part, at) => {
      const path = parts.slice(0, at + 1).join("/");
      const next = here.children.get(part) ?? { name: part, path, bytes: 0, role: "", children: new Map() };
      next.bytes += file.bytes;
      here.children.set(part, next);
      here = next;
    });
    here.role = file.role;
    here.path = file.name;
  }
  return finished(root);
}

function finished(node: Growing): Node {
  return { ...node, children: [...node.children.values()].map(finished) };
}

export function itemsOf(root: Node, closed: ReadonlySet<string>): Item[] {
  const items: Item[] = [];
  const visit = (node: Node, level: number, position: number, siblings: number): void => {
    const open = node.children.length ? !closed.has(node.path) : null;
    items.push({ node, level, open, position, siblings });
    if (!open) return;
    for (const [at, child] of node.children.entries()) visit(child, level + 1, at + 1, node.children.length);
  };
  visit(root, 1, 1, 1);
  return items;
}

/** All files at or below a node. */
export function filesBelow(node: Node): string[] {
  return node.children.length ? node.children.flatMap(filesBelow) : [node.path];
}
