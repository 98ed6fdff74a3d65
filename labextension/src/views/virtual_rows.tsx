/** A table of many rows of which only those in view are in the document; headings may sort. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { visibleRows } from "../model/virtual.ts";
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

export function VirtualRows(props: {
  label: string;
  rows: number;
  columns: readonly Heading[];
  cells: (row: number) => readonly ComponentChildren[];
}) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setTop] = useScrolled(box);
  const seen = visibleRows({ rows: props.rows, ...view });
  return (
    <div
      ref={box}
      class="sima-grid"
      role="table"
      aria-label={props.label}
      aria-rowcount={props.rows + 1}
      tabIndex={0}
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
          {Array.from({ length: seen.last - seen.first }, (_, at) => (
            <div role="row" class="sima-row" aria-rowindex={seen.first + at + 2} key={seen.first + at}>
              {props.cells(seen.first + at).map((cell, column) => (
                <div role="cell" class={props.columns[column]?.className} key={props.columns[column]?.title}>
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
