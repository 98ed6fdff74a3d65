/** An archive: its tree of files, what is in them (where the host can look), and the pipeline that they make up. */

import { useMemo, useRef, useState } from "preact/hooks";
import type { ViewData } from "../columns.ts";
import type { Handle, Host } from "../hosts/host.ts";
import { type Key, treeMove, typedAhead } from "../model/keyboard.ts";
import { labelOf } from "../model/profile.ts";
import { filesBelow, type Item, itemsOf, type Node, treeOf } from "../model/tree.ts";
import { count, size } from "../model/units.ts";
import { ENGLISH } from "../model/words.ts";
import parts from "../styles/parts.css";
import { OWN_KEYS } from "./keys.ts";
import { mountView } from "./mounting.tsx";
import { Pipeline } from "./pipeline.tsx";
import { Preview } from "./preview.tsx";
import { useWords } from "./reading.ts";
import { Button, Name, Section, TaskSays, useTask } from "./ui.tsx";

/** Letters typed within this time belong to one word. */
const TYPING = 700;

export function mount(element: HTMLElement, data: ViewData, host: Host): Handle {
  const { words = ENGLISH } = host;
  const content = () => <ArchiveView data={data} host={host} />;
  const mounted = mountView(element, words.__("Archive"), content, { styles: parts, words });
  return { update: () => undefined, dispose: mounted.dispose };
}

function ArchiveView({ data, host }: { data: ViewData; host: Host }) {
  const words = useWords();
  const [shown, setShown] = useState<Node | null>(null);
  const files = useMemo(() => data.tables.files.records(), [data]);
  const root = useMemo(() => treeOf(data.view.name || data.view.path, files), [data, files]);
  return (
    <>
      {files.length > 0 && (
        <div class="sima-columns">
          <Section title={words.__("Files (%1, %2)", count(files.length), size(root.bytes))}>
            <Tree data={data} root={root} host={host} onShow={setShown} />
          </Section>
          {host.preview && (
            <Section title={words.__("Preview")}>
              {shown ? (
                <Preview key={shown.path} member={shown.path} bytes={shown.bytes} host={host} />
              ) : (
                <p class="sima-note">{words.__("Choose a file and press Enter, or click it.")}</p>
              )}
            </Section>
          )}
        </div>
      )}
      <Pipeline data={data} />
    </>
  );
}

function Tree(props: { data: ViewData; root: Node; host: Host; onShow: (node: Node) => void }) {
  const { root, host } = props;
  const words = useWords();
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const [focused, setFocused] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const typed = useRef({ text: "", at: 0 });
  const items = itemsOf(root, closed);
  const at = Math.min(focused, items.length - 1);

  const focus = (index: number) => {
    setFocused(index);
    list.current?.querySelectorAll<HTMLElement>("[role=treeitem]")[index]?.focus();
  };
  const setOpen = (item: Item, open: boolean) => {
    const next = new Set(closed);
    if (open) next.delete(item.node.path);
    else next.add(item.node.path);
    setClosed(next);
  };
  const toggleMark = (item: Item) => {
    if (!host.extract) return;
    const names = filesBelow(item.node);
    const all = names.every(name => marked.has(name));
    const next = new Set(marked);
    for (const name of names) {
      if (all) next.delete(name);
      else next.add(name);
    }
    setMarked(next);
  };
  const activate = (item: Item) => {
    if (item.open !== null) setOpen(item, !item.open);
    else props.onShow(item.node);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = treeMove(event, items, at);
    const item = items[at];
    if (!item) return;
    if (move?.kind === "move") focus(move.to);
    else if (move?.kind === "open" || move?.kind === "close") setOpen(item, move.kind === "open");
    else if (move?.kind === "activate") activate(item);
    else if (move?.kind === "toggle") (host.extract ? toggleMark : activate)(item);
    else if (!typeAhead(event)) return;
    event.preventDefault();
  };
  const typeAhead = (event: Key & { readonly timeStamp: number }): boolean => {
    if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return false;
    const isMore = event.timeStamp - typed.current.at < TYPING && event.key !== typed.current.text;
    typed.current = { text: (isMore ? typed.current.text : "") + event.key, at: event.timeStamp };
    const found = typedAhead(
      items.map(item => item.node.name),
      at,
      typed.current.text,
    );
    if (found >= 0) focus(found);
    return true;
  };
  return (
    <>
      <ul
        ref={list}
        role="tree"
        aria-label={words.__("Files of the archive")}
        class="sima-tree"
        aria-multiselectable={host.extract ? "true" : undefined}
        onKeyDown={onKeyDown}
      >
        {items.map((item, index) => (
          <li
            key={item.node.path}
            role="treeitem"
            aria-level={item.level}
            aria-expanded={item.open ?? undefined}
            aria-posinset={item.position}
            aria-setsize={item.siblings}
            aria-selected={host.extract ? filesBelow(item.node).every(name => marked.has(name)) : undefined}
            tabIndex={index === at ? 0 : -1}
            style={{ "--sima-level": String(item.level - 1) }}
            onFocus={() => setFocused(index)}
            onClick={event => {
              setFocused(index);
              if (event.ctrlKey || event.metaKey || event.shiftKey) toggleMark(item);
              else activate(item);
            }}
            {...OWN_KEYS}
          >
            <span class="sima-twist" aria-hidden="true">
              {item.open === null ? "" : item.open ? "\u25be" : "\u25b8"}
            </span>
            <Name text={item.node.name} />
            <span class="sima-role">
              {item.node.role && labelOf(props.data.view.palette.roles, item.node.role).label}
            </span>
            <span class="sima-size">{size(item.node.bytes)}</span>
          </li>
        ))}
      </ul>
      {host.extract && <Extraction host={host} marked={marked} />}
    </>
  );
}

function Extraction({ host, marked }: { host: Host; marked: ReadonlySet<string> }) {
  const words = useWords();
  const task = useTask();
  const start = () => task.run(() => host.extract?.([...marked]) ?? Promise.resolve(""));
  return (
    <div class="sima-action">
      <Button disabled={!marked.size || task.busy} onClick={start}>
        {marked.size
          ? words._n("Extract %2 file", "Extract %2 files", marked.size, count(marked.size))
          : words.__("Extract files")}
      </Button>{" "}
      <span class="sima-note">{words.__("Space, or a click with Ctrl, marks a file.")}</span>
      <TaskSays task={task} />
    </div>
  );
}
