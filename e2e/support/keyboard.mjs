// A person without a mouse: Tab, Enter, Space, arrows and letters, nothing else.

import assert from "node:assert/strict";

/** How many presses of Tab a person puts up with. */
const PATIENCE = 150;

/** The keyboard of a page. A press of a mouse's button on the page from now on fails the test at `finish`. */
export async function keyboardOf(page) {
  const pressed = [];
  await page.exposeFunction("mousePressed", (what) => pressed.push(what));
  await page.addInitScript(() => addEventListener("mousedown", (event) => window.mousePressed(event.target.outerHTML.slice(0, 80)), true));
  return new Keyboard(page, pressed);
}

class Keyboard {
  #page;
  #pressed;

  constructor(page, pressed) {
    this.#page = page;
    this.#pressed = pressed;
  }

  /** Presses Tab until an element has the focus; it must show that. */
  async reach(locator) {
    await locator.waitFor();
    for (let presses = 0; presses < PATIENCE; presses += 1) {
      if (await locator.evaluate((element) => element === document.activeElement)) {
        assert.ok(await locator.evaluate(showsFocus), `the focus is seen on ${locator}`);
        return;
      }
      await this.press("Tab");
    }
    assert.fail(`not reached with ${PATIENCE} presses of Tab: ${locator}`);
  }

  /** Follows a link, presses a button. */
  async enter(locator) {
    await this.reach(locator);
    await this.press("Enter");
  }

  /** Ticks a box. */
  async tick(locator) {
    await this.reach(locator);
    await this.press("Space");
    assert.ok(await locator.isChecked());
  }

  /** Writes into a field, in place of what is there. */
  async write(locator, text) {
    await this.reach(locator);
    await this.press("ControlOrMeta+A");
    await this.#page.keyboard.type(text);
  }

  /** Chooses from a list by the first letters of what is wanted. */
  async choose(locator, label) {
    await this.reach(locator);
    await this.#page.keyboard.type(label);
    assert.equal(await locator.evaluate((list) => list.selectedOptions[0].label), label);
  }

  press(key) {
    return this.#page.keyboard.press(key);
  }

  /** No mouse was used. */
  finish() {
    assert.deepEqual(this.#pressed, [], "no mouse was used");
  }
}

/** Whether the element, or what it stands in, is drawn with an outline. Runs on the page. */
function showsFocus(element) {
  const outlined = (one) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    return outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
  };
  return [element, element.parentElement, element.closest("label")].some((one) => one && outlined(one));
}
