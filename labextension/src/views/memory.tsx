/** On-chip memory: address over time, one rectangle per buffer; what is selected elsewhere is framed here, and back. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Derived } from "../model/explorer_state.ts";
import { bufferAt, type MemoryMap, memoryMaps } from "../model/memory.ts";
import { scaleOf, toCycle } from "../model/scale.ts";
import { visible } from "../model/text.ts";
import { count, percent, size } from "../model/units.ts";
import { OWN_KEYS } from "./keys.ts";
import { bufferLabels, drawMemory, FOOT, GUTTER, peakBytes, rangeOf, topOf } from "./memory_paint.ts";
import { useWords } from "./reading.ts";
import { type Surface, surfaceOn } from "./surface.ts";
import { readTheme, type Theme, watchTheme } from "./theme.ts";
import { Choice, Name, Section, Swatch, useStore } from "./ui.tsx";

export function Memory({ derived }: { derived: Derived }) {
  const words = useWords();
  const maps = useMemo(() => memoryMaps(derived.profile), [derived]);
  const [at, setAt] = useState(0);
  const map = maps[Math.min(at, maps.length - 1)];
  const { wordings } = derived.profile.view;
  if (!map) {
    return (
      <Section title={words.__("On-chip memory")}>
        <p class="sima-note">{wordings["no_memory_map"] ?? words.__("No memory map is recorded.")}</p>
      </Section>
    );
  }
  const options = maps.map((found, index) => [String(index), visible(found.segment)] as const);
  const aside = maps.length > 1 && (
    <Choice label={words.__("Segment")} value={String(at)} options={options} onChange={value => setAt(Number(value))} />
  );
  return (
    <Section title={words.__("On-chip memory")} aside={aside}>
      <Sentence map={map} />
      <MapPicture key={map.segment} map={map} derived={derived} />
      <div class="sima-legend">
        {bufferLabels(derived).map(
          (label, kind) =>
            map.kind.includes(kind) && (
              <span key={label.key} class="sima-key">
                <Swatch label={label} />
                {label.label}
              </span>
            ),
        )}
      </div>
      <Spilled derived={derived} map={map} />
    </Section>
  );
}

function Sentence({ map }: { map: MemoryMap }) {
  const words = useWords();
  const late = map.late.reduce((sum, flag) => sum + flag, 0);
  const peak = peakBytes(map);
  return (
    <p class="sima-note">
      {words.__(
        "Peak %1 of %2 (%3), %4 buffers",
        size(peak),
        size(map.capacity),
        percent(map.capacity ? peak / map.capacity : 0),
        count(map.rows.length),
      )}
      {late > 0 && `, ${words.__("%1 of them held longer than anything uses them (hatched)", count(late))}`}.
    </p>
  );
}

function Spilled({ derived, map }: { derived: Derived; map: MemoryMap }) {
  const words = useWords();
  const segment = derived.profile.view.segments.find(found => found.name === map.segment);
  const spilled = segment?.spilled ?? [];
  if (!spilled.length) return null;
  return (
    <details class="sima-more">
      <summary {...OWN_KEYS}>{words.__("%1 tensors do not fit and go through DRAM", count(spilled.length))}</summary>
      <ul class="sima-names">
        {spilled.map(tensor => (
          <li key={tensor.name}>
            <Name text={tensor.name} /> {size(tensor.bytes)}
          </li>
        ))}
      </ul>
    </details>
  );
}

function MapPicture({ map, derived }: { map: MemoryMap; derived: Derived }) {
  const words = useWords();
  const canvas = useRef<HTMLCanvasElement>(null);
  const surface = useRef<Surface | null>(null);
  const hover = useRef(-1);
  const [at, setAt] = useState(-1);
  const state = useStore(derived.store);

  useLayoutEffect(() => {
    if (!canvas.current) return;
    let theme: Theme | null = null;
    const made = surfaceOn(canvas.current, found => {
      theme ??= readTheme(found.canvas);
      drawMemory(found, theme, map, derived, hover.current);
    });
    surface.current = made;
    const release = watchTheme(canvas.current, () => {
      theme = null;
      made.flush();
    });
    return () => {
      release();
      made.dispose();
    };
  }, [map, derived]);
  useEffect(() => surface.current?.invalidate(), [state, at]);

  const show = (buffer: number) => {
    hover.current = buffer;
    setAt(buffer);
  };
  const find = (event: PointerEvent | MouseEvent): number => {
    const found = surface.current;
    if (!found) return -1;
    const box = found.canvas.getBoundingClientRect();
    const scale = scaleOf(rangeOf(map, derived), found.width - GUTTER);
    const height = found.height - FOOT;
    const address = ((height - (event.clientY - box.top)) / height) * topOf(map);
    return bufferAt(map, toCycle(scale, event.clientX - box.left - GUTTER), address);
  };
  const pick = (buffer: number) => {
    if (buffer < 0) return;
    const ids = (map.layers[buffer] ?? [])
      .filter(layer => layer >= 0)
      .map(layer => derived.profile.ids[layer] as number);
    if (ids.length) derived.store.set({ selected: ids });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) show(Math.min(map.rows.length - 1, Math.max(0, at + step)));
    else if (event.key === "Enter" || event.key === " ") pick(at);
    else if (event.key === "Escape") show(-1);
    else return;
    event.preventDefault();
  };
  return (
    <div class="sima-memory">
      <div
        role="application"
        aria-roledescription={words.__("memory map")}
        aria-label={words.__(
          "On-chip memory of %1: address over time",
          visible(map.segment) || words.__("the accelerator"),
        )}
        aria-description={words.__("Arrow keys go from buffer to buffer, Enter selects the layers that use it.")}
        tabIndex={0}
        onKeyDown={onKeyDown}
        {...OWN_KEYS}
      >
        <canvas
          ref={canvas}
          class="sima-canvas sima-map"
          aria-hidden="true"
          onPointerMove={event => show(find(event))}
          onPointerLeave={() => show(-1)}
          onClick={event => pick(find(event))}
        />
      </div>
      <p class="sima-note sima-line" role="status">
        {at >= 0 ? describe(map, at, derived) : "\u00a0"}
      </p>
    </div>
  );
}

function describe(map: MemoryMap, at: number, { profile, words }: Derived): string {
  const row = map.rows[at] as number;
  const { buffers } = map;
  const label = profile.view.palette.buffers[map.kind[at] as number]?.label ?? buffers.get(row, "kind") ?? "";
  const late = map.late[at] ? `, ${words.__("held longer than anything uses it")}` : "";
  const name = visible((buffers.get(row, "name") ?? "").slice(0, 120));
  const [from, to] = [count(map.start[at] as number), count((map.end[at] as number) - 1)];
  const span = map.inCycles ? words.__("cycles %1 to %2", from, to) : words.__("steps %1 to %2", from, to);
  const place = words.__("%1 at %2", size(map.bytes[at] as number), count(map.address[at] as number));
  return `${name}: ${label}, ${place}, ${span}${late}`;
}
