/*
 * Feeds a corpus to a fuzzer's entry point, without libFuzzer: what was found
 * once stays found, with any compiler. The program's name says which corpus:
 * replay_NAME reads tests/fuzz/corpus/NAME below $top_srcdir.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(int dir, const char *name)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;

	/* Of exactly the size, so that a sanitizer sees a read past its end. */
	data = malloc((size_t)st.st_size + (st.st_size == 0));
	if (!data)
		return -ENOMEM;
	n = read(fd, data, (size_t)st.st_size);
	if (n == st.st_size)
		(void)LLVMFuzzerTestOneInput(data, (size_t)n);
	free(data);
	return n == st.st_size ? 0 : -EIO;
}

int main(void)
{
	const char *top = getenv("top_srcdir");
	const char *name = strchr(program_invocation_short_name, '_');
	struct dirent *entry;
	unsigned int n = 0;
	char path[4096];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : ".",
	               name ? name + 1 : "");
	dir = opendir(path);
	if (!dir) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	while ((entry = readdir(dir))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		(void)printf("%s\n", entry->d_name);
		(void)fflush(stdout);
		r = replay(dirfd(dir), entry->d_name);
		if (r < 0) {
			(void)fprintf(stderr, "%s/%s: %s\n", path, entry->d_name,
			              strerror(-r));
			(void)closedir(dir);
			return 1;
		}
		n++;
	}
	(void)closedir(dir);

	/* A corpus that went missing must not read as one that passed. */
	if (n == 0)
		(void)fprintf(stderr, "%s: empty\n", path);
	return n == 0;
}
