import { closeFd } from "../kernel/index.js";

/** An fd with several users, closed with the last of them. */
export class SharedFd {
  readonly fd: number;
  #users = 1;

  /** Takes over an open fd, with its caller as the first user. */
  constructor(fd: number) {
    this.fd = fd;
  }

  /** Adds a user. */
  acquire(): this {
    this.#users++;
    return this;
  }

  /** Takes a user away. */
  release(): void {
    if (--this.#users === 0) closeFd(this.fd);
  }
}
