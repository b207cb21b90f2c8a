/** A binary heap: `pop` gives the element that comes first under `before`. */
export interface Heap<T> {
  readonly size: number;
  peek(): T | undefined;
  push(element: T): void;
  pop(): T | undefined;
  /** Keeps the elements for which this holds. */
  retain(keep: (element: T) => boolean): void;
}

/** An empty heap. `before` must be a strict order. */
export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const elements: T[] = [];

  function inOrder(parent: number, child: number): boolean {
    const a = elements[parent];
    const b = elements[child];
    return a === undefined || b === undefined || !before(b, a);
  }

  function swap(i: number, j: number): void {
    const a = elements[i];
    const b = elements[j];
    if (a === undefined || b === undefined) return;
    elements[i] = b;
    elements[j] = a;
  }

  function sink(): void {
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      const right = left + 1;
      const first = inOrder(left, right) ? left : right;
      if (left >= elements.length || inOrder(parent, first)) return;
      swap(parent, first);
      parent = first;
    }
  }

  function push(element: T): void {
    elements.push(element);
    let child = elements.length - 1;
    for (let parent = (child - 1) >> 1; child > 0 && !inOrder(parent, child); parent = (child - 1) >> 1) {
      swap(parent, child);
      child = parent;
    }
  }

  return {
    get size() {
      return elements.length;
    },
    peek: () => elements[0],
    push,
    pop() {
      swap(0, elements.length - 1);
      const first = elements.pop();
      sink();
      return first;
    },
    retain(keep) {
      for (const element of elements.splice(0)) if (keep(element)) push(element);
    },
  };
}
