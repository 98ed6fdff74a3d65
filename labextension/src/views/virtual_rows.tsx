/** A table of many rows of which only those in view are in the document; headings may sort. */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { isPlain, rowAfter } from "../model/keyboard.ts";
import { scrollTo, visibleRows } from "../model/virtual.ts";
import { useId } from "./ids.ts";
import { OWN_KEYS } from "./keys.ts";

export interface Heading {
  readonly title: string;
  readonly className?: string | undefined;
  readonly sort?: "ascending" | "descending" | "none";
  readonly onSort?: () => void;
}

export function HeadingCell({ heading }: { heading: Heading }) {
  const { title, sort, onSort } = heading;
  if (!onSort) {
    return (
      <div role="columnheader" class={heading.className}>
        {title}
      </div>
    );
  }
  const arrow = sort === "ascending" ? " \u25b2" : sort === "descending" ? " \u25bc" : "";
  return (
    <div role="columnheader" class={heading.className} aria-sort={sort}>
      <button type="button" class="sima-sort" onClick={onSort} {...OWN_KEYS}>
        {title}
        <span aria-hidden="true">{arrow}</span>
      </button>
    </div>
  );
}

export interface Scrolled {
  readonly scrollTop: number;
  readonly height: number;
  readonly rowHeight: number;
}

/** How far an element is scrolled, how high it is, and how high its rows are. */
export function useScrolled(box: { readonly current: HTMLElement | null }) {
  const [view, setView] = useState<Scrolled>({ scrollTop: 0, height: 400, rowHeight: 28 });
  useLayoutEffect(() => {
    const found = box.current;
    if (!found) return;
    const observer = new ResizeObserver(() => {
      const row = found.querySelector<HTMLElement>(".sima-row");
      setView(old => ({ ...old, height: found.clientHeight, rowHeight: row?.offsetHeight || 28 }));
    });
    observer.observe(found);
    return () => observer.disconnect();
  }, []);
  return [view, (scrollTop: number) => setView(old => ({ ...old, scrollTop }))] as const;
}

interface RowsProps {
  readonly label: string;
  readonly rows: number;
  readonly columns: readonly Heading[];
  readonly cells: (row: number) => readonly ComponentChildren[];
  /** The chosen row, -1 for none; rows can be chosen where both are given. */
  readonly chosen?: number;
  readonly onChoose?: (row: number) => void;
}

export function VirtualRows(props: RowsProps) {
  const { chosen = -1, onChoose, rows } = props;
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const [view, setTop] = useScrolled(box);
  const seen = visibleRows({ rows, ...view });
  const isActive = chosen >= seen.first && chosen < seen.last;
  useEffect(() => {
    const found = box.current;
    if (!found || chosen < 0) return;
    const room = { rows, rowHeight: view.rowHeight, height: found.clientHeight - view.rowHeight };
    found.scrollTop = scrollTo({ ...room, scrollTop: found.scrollTop }, chosen);
  }, [chosen]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!onChoose || event.target !== event.currentTarget || !isPlain(event)) return;
    const next = rowAfter(event, chosen, rows, Math.max(1, Math.floor(view.height / view.rowHeight) - 2));
    if (next === null) return;
    onChoose(next);
    event.preventDefault();
  };
  return (
    <div
      ref={box}
      class="sima-grid"
      role={onChoose ? "grid" : "table"}
      aria-label={props.label}
      aria-rowcount={rows + 1}
      aria-activedescendant={isActive ? `${id}-${chosen}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onScroll={event => setTop(event.currentTarget.scrollTop)}
      {...OWN_KEYS}
    >
      <div role="rowgroup" class="sima-head">
        <div role="row" class="sima-row" aria-rowindex={1}>
          {props.columns.map(heading => (
            <HeadingCell heading={heading} key={heading.title} />
          ))}
        </div>
      </div>
      <div role="rowgroup" class="sima-body" style={{ height: `${seen.total}px` }}>
        <div style={{ transform: `translateY(${seen.offset}px)` }} role="presentation">
          {Array.from({ length: seen.last - seen.first }, (_, at) => seen.first + at).map(row => (
            <div
              role="row"
              class="sima-row"
              id={`${id}-${row}`}
              aria-rowindex={row + 2}
              aria-selected={onChoose ? row === chosen : undefined}
              key={row}
              onClick={() => onChoose?.(row)}
            >
              {props.cells(row).map((cell, column) => (
                <div
                  role={onChoose ? "gridcell" : "cell"}
                  class={props.columns[column]?.className}
                  key={props.columns[column]?.title}
                >
                  {cell}
                </div>
              ))}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
