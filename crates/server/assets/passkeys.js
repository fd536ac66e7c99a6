// Passkeys: hands the server's question to the browser and its answer back, in an ordinary form. Nothing here evaluates text.
(() => {
  "use strict";
  if (!globalThis.PublicKeyCredential) return;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const credentials = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

  const make = async (publicKey) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...publicKey,
        challenge: bytes(publicKey.challenge),
        user: { ...publicKey.user, id: bytes(publicKey.user.id) },
        excludeCredentials: credentials(publicKey.excludeCredentials),
      },
    });
    const { attestationObject, clientDataJSON } = made.response;
    return {
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      response: {
        attestationObject: text(attestationObject),
        clientDataJSON: text(clientDataJSON),
        transports: made.response.getTransports?.(),
      },
      extensions: {},
    };
  };
  const get = async (publicKey) => {
    const got = await navigator.credentials.get({
      publicKey: { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: credentials(publicKey.allowCredentials) },
    });
    const { authenticatorData, clientDataJSON, signature, userHandle } = got.response;
    return {
      id: got.id,
      rawId: text(got.rawId),
      type: got.type,
      response: {
        authenticatorData: text(authenticatorData),
        clientDataJSON: text(clientDataJSON),
        signature: text(signature),
        userHandle: userHandle?.byteLength ? text(userHandle) : null,
      },
      extensions: {},
    };
  };

  const ask = async (form) => {
    const answer = await fetch(form.dataset.passkeyGet, { method: "POST", headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error("the server did not answer; load the page again");
    const { ceremony, options } = await answer.json();
    form.querySelector("[data-passkey-ceremony]").value = ceremony;
    return get(options.publicKey);
  };
  const run = async (form, button) => {
    const note = form.querySelector("[data-passkey-error]");
    note.hidden = true;
    button.disabled = true;
    try {
      const making = form.dataset.passkeyMake;
      const answer = making ? await make(JSON.parse(making).publicKey) : await ask(form);
      (form.querySelector("[data-passkey-answer]") ?? form.elements.answer).value = JSON.stringify(answer);
      form.requestSubmit();
    } catch (error) {
      const known = error instanceof DOMException;
      const why = error.name === "InvalidStateError" ? "This device has a passkey for your account already." : "That did not work, or it was cancelled. Try again, or use another way.";
      note.querySelector("span").textContent = known ? why : error.message;
      note.hidden = false;
      button.disabled = false;
    }
  };
  for (const form of document.querySelectorAll("[data-passkey-get]")) form.hidden = false;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-passkey-go]");
    if (button) run(button.form, button);
  });
})();
