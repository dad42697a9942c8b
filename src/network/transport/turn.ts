/** What is to be done when the present turn of the event loop is over: all that its sockets brought has been handled. */
export interface Turn {
  /** Once a turn for each task. */
  atEnd(task: () => void): void;
}

/** `setImmediate` runs when the sockets that were ready have been read: at once where there was one alone. */
export function createTurn(): Turn {
  let tasks = new Set<() => void>();

  function end(): void {
    const due = tasks;
    tasks = new Set();
    for (const task of due) task();
  }

  return {
    atEnd(task) {
      if (tasks.size === 0) setImmediate(end);
      tasks.add(task);
    },
  };
}
