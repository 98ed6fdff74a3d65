/** Tabs after the ARIA practice: one stop for the Tab key, arrows move and choose. */
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { useId } from "../../views/ids.ts";

import { OWN_KEYS } from "../../views/keys.ts";

export interface Tab {
  readonly key: string;
  readonly label: string;
  readonly content: () => ComponentChildren;
}

interface Props {
  readonly label: string;
  readonly tabs: readonly Tab[];
  readonly chosen: string;
  /** Tabs that were looked at stay as they were left; the others are made when they are first chosen. */
  readonly seen: readonly string[];
  readonly onChoose: (key: string) => void;
}

export function Tabs({ label, tabs, chosen, seen, onChoose }: Props) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const choose = (at: number) => {
    const tab = tabs[(at + tabs.length) % tabs.length];
    if (!tab) return;
    onChoose(tab.key);
    list.current?.querySelector<HTMLElement>(`[data-tab="${tab.key}"]`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = tabs.findIndex(tab => tab.key === chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    choose(to);
    event.preventDefault();
  };
  return (
    <>
      <div ref={list} role="tablist" aria-label={label} class="sima-tabs" onKeyDown={onKeyDown}>
        {tabs.map(tab => (
          <button
            key={tab.key}
            type="button"
            role="tab"
            id={`${id}-${tab.key}`}
            data-tab={tab.key}
            aria-selected={tab.key === chosen}
            aria-controls={seen.includes(tab.key) ? `${id}-${tab.key}-panel` : undefined}
            tabIndex={tab.key === chosen ? 0 : -1}
            onClick={() => onChoose(tab.key)}
            {...OWN_KEYS}
          >
            {tab.label}
          </button>
        ))}
      </div>
      {tabs
        .filter(tab => seen.includes(tab.key))
        .map(tab => (
          <div
            key={tab.key}
            role="tabpanel"
            id={`${id}-${tab.key}-panel`}
            aria-labelledby={`${id}-${tab.key}`}
            hidden={tab.key !== chosen}
            class="sima-panel"
          >
            {tab.content()}
          </div>
        ))}
    </>
  );
}
