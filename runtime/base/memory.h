#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/* Who has waited for as long waits for long: of a command that ends before, the end does all that anyway. */
#define MEMORY_SETTLE_MS 1000

/**
 * memory_settle() - Give the kernel back what only the launch needed
 *
 * For a process that will wait for long: the free parts of the heap, the stack below the caller,
 * of which the launch used more than the waiting does, and the program's text and constants. All of
 * it comes again where it is used.
 */
void memory_settle(void);

#endif
