/** Upgrades the static page in place. */
export {};
