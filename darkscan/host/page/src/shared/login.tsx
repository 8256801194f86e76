// Who looks at this page: the host's token, where it asks for one, and the name of a reviewer.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { HostError, api, session } from "../api";
import { Dialog } from "./dialog";

const NAME_KEY = "darkscan.name";

/** Under which reviews are kept; this browser remembers it. */
export const operator = signal(localStorage.getItem(NAME_KEY) ?? "");

export function setOperator(name: string): void {
  operator.value = name.trim();
  localStorage.setItem(NAME_KEY, operator.value);
}

/** The token that the host's link carried after `#token=`; it leaves the address at once. */
function tokenFromAddress(): string {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1] ?? "";
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return decodeURIComponent(token);
}

export function Login() {
  const [token, setToken] = useState("");
  const [name, setName] = useState(operator.value);
  const [problem, setProblem] = useState("");

  useEffect(() => {
    const given = tokenFromAddress();
    const entering = given ? api.logIn(given, operator.value) : api.session();
    entering.catch((error: unknown) => {
      if (given && error instanceof HostError && error.status !== 0) setProblem(error.message);
      return api.session().catch(() => undefined);
    });
  }, []);

  if (!session.value?.needed || session.value.authenticated) return null;
  return (
    <Dialog title="This host asks for its token">
      <form
        class="login"
        onSubmit={(event) => {
          event.preventDefault();
          setProblem("");
          setOperator(name);
          api.logIn(token.trim(), name.trim()).catch((error: Error) => setProblem(error.message));
        }}
      >
        <p>
          The host printed a link with it when it first started, and keeps it in the file{" "}
          <code>token</code> of its store.
        </p>
        <label>
          Token
          <input
            type="password"
            autocomplete="current-password"
            required
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <label>
          Your name, for reviews
          <input
            autocomplete="name"
            maxLength={80}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="primary">
          Enter
        </button>
      </form>
    </Dialog>
  );
}
