/**
 * The client's side of ClientProcess: says that it is ready, then answers each
 * question of the process that started it, and ends with it.
 */
export function serve<Question>(answer: (question: Question) => Promise<object>): void {
  process.on("disconnect", () => process.exit());
  process.on("message", async (question: Question) => {
    try {
      process.send?.(await answer(question));
    } catch (error) {
      console.error(error);
      process.exit(1);
    }
  });
  process.send?.("ready");
}
