/** What is to be done in its turn. */
export type Turn = () => void;

/**
 * What waits, handed out in turns: between callers, and of each caller between its
 * connections; of one connection in the order of its coming.
 */
export class TurnQueue {
  /** In the order of their next turn. */
  readonly #callers = new Map<unknown, Map<unknown, Turn[]>>();

  get isEmpty(): boolean {
    return this.#callers.size === 0;
  }

  add(caller: unknown, connection: unknown, turn: Turn): void {
    const connections = this.#callers.get(caller);
    if (!connections) {
      this.#callers.set(caller, new Map([[connection, [turn]]]));
      return;
    }
    const turns = connections.get(connection);
    if (turns) turns.push(turn);
    else connections.set(connection, [turn]);
  }

  /** Whose turn it is; undefined where nobody waits. */
  take(): Turn | undefined {
    for (const [caller, connections] of this.#callers) {
      this.#callers.delete(caller);
      const turn = takeNext(connections);
      if (connections.size > 0) this.#callers.set(caller, connections);
      return turn;
    }
    return undefined;
  }
}

function takeNext(connections: Map<unknown, Turn[]>): Turn | undefined {
  for (const [connection, turns] of connections) {
    connections.delete(connection);
    const turn = turns.shift();
    if (turns.length > 0) connections.set(connection, turns);
    return turn;
  }
  return undefined;
}
