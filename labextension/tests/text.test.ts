import assert from "node:assert/strict";
import { test } from "node:test";
import { highlighted, shortened, visible } from "../src/model/text.ts";

test("marks that mislead are shown as their code points, everything else stays", () => {
  assert.equal(visible("a\u202eb\u2028c\u0007d\nе"), "a\\u202eb\\u2028c\\u0007d\\u000aе");
  assert.equal(visible("</script><img onerror=1>"), "</script><img onerror=1>");
  assert.equal(visible("层/卷积 🙂"), "层/卷积 🙂");
  assert.equal(visible("lone \ud800"), "lone \\ud800");
});

test("long names keep both ends", () => {
  const name = `head${"x".repeat(5000)}tail`;
  const short = shortened(name, 40);
  assert.ok(short.length <= 40 && short.startsWith("head") && short.endsWith("tail") && short.includes("…"));
});

test("highlighted pieces together are the text", () => {
  const pieces = highlighted("Conv2d_add_conv", ["conv", "add"]);
  assert.equal(pieces.map(piece => piece.text).join(""), "Conv2d_add_conv");
  assert.deepEqual(
    pieces.filter(piece => piece.hit).map(piece => piece.text),
    ["Conv", "add", "conv"],
  );
  assert.deepEqual(highlighted("abc", []), [{ text: "abc", hit: false }]);
  assert.equal(
    highlighted("İstanbul", ["i"])
      .map(piece => piece.text)
      .join(""),
    "İstanbul",
  );
});
