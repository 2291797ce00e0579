import type { WatchCommand } from "./watch-protocol.js";

type Look = WatchCommand & { readonly type: "look" };

/** Commands in order, but that a look can be taken while a scan is still at work. */
export class CommandReader {
  readonly #commands: AsyncIterator<WatchCommand, unknown>;
  #fetching: Promise<IteratorResult<WatchCommand, unknown>> | undefined;
  #ahead: WatchCommand | undefined;

  constructor(commands: AsyncIterable<WatchCommand>) {
    this.#commands = commands[Symbol.asyncIterator]();
  }

  /** The next command; undefined after the last. */
  async next(): Promise<WatchCommand | undefined> {
    const { done, value } = await this.#fetch();
    this.#fetching = undefined;
    this.#ahead = undefined;
    return done ? undefined : value;
  }

  /** The next command if it has come already and is a look. */
  takeLook(): Look | undefined {
    void this.#fetch();
    const command = this.#ahead;
    if (command?.type !== "look") return undefined;
    this.#fetching = undefined;
    this.#ahead = undefined;
    return command;
  }

  #fetch(): Promise<IteratorResult<WatchCommand, unknown>> {
    if (this.#fetching) return this.#fetching;
    const fetching = this.#commands.next();
    this.#fetching = fetching;
    fetching.then(
      ({ done, value }) => {
        if (!done && this.#fetching === fetching) this.#ahead = value;
      },
      // Whoever asks next() hears of it.
      () => {},
    );
    return fetching;
  }
}
