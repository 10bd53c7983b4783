#ifndef IMAGE_PROGRESS_H
#define IMAGE_PROGRESS_H

#include <stdbool.h>

#include "base/err.h"

enum progress_mode {
	PROGRESS_AUTO, /* a bar on a terminal, else JSON */
	PROGRESS_BAR,
	PROGRESS_JSON,
	PROGRESS_NONE,
	PROGRESS_MODE_MAX,
};

extern const char *const progress_mode_name[PROGRESS_MODE_MAX];

/**
 * struct progress - How far a pull is, on standard error
 * @mode:	PROGRESS_AUTO resolved by progress_begin()
 * @image:	what is pulled, borrowed
 */
struct progress {
	enum progress_mode mode;
	const char *image;
};

void progress_begin(struct progress *progress, enum progress_mode mode,
                    const char *image);

/* "pull", "wait", "again", "blob", "config", "manifest", "unpack", "done"; @digest may be NULL. */
void progress_step(const struct progress *progress, const char *step, const char *digest);

/* A line of skopeo's standard output; @ctx is the progress. */
void progress_line(void *ctx, char *line);

/* Setter of an option: @field is an enum progress_mode. */
int progress_option(void *field, const char *value, struct err *err);

#endif
