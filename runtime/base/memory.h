#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/**
 * memory_touch() - Have the kernel make pages ours at once
 * @at:		where the first of them is
 * @size:	bytes from there on, all of them mapped
 *
 * As memory_warm(), for memory that will be written to: new, or shared since a fork.
 */
void memory_touch(void *at, size_t size);

/**
 * memory_settle() - Give the kernel back what only the launch needed
 *
 * For a process that will wait for long: the free parts of the heap, the stack below the caller,
 * of which the launch used more than the waiting does, and the program's text and constants. All of
 * it comes again where it is used.
 */
void memory_settle(void);

/**
 * memory_warm() - Have the kernel map in at once what a launch touches one by one
 * @stack:	bytes of the stack below the caller, which it will use; at most 96 KiB
 *
 * That, and the program's text and constants. For each page
 * that is touched first the processor stops, which costs a microsecond, and 15 where one virtual
 * machine runs in another; there are 200 of them in a launch. Each process needs it anew: fork
 * copies no mappings of files, and the stack's pages are shared until they are written to.
 * Without MADV_POPULATE_READ and MADV_POPULATE_WRITE (Linux 5.14) nothing happens.
 */
void memory_warm(size_t stack);

#endif
