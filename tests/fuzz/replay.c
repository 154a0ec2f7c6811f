/* Runs a fuzz target over every file of the directories it is given. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay_file(const char *path)
{
	static uint8_t	 buf[1 << 20];
	FILE		*f;
	uint8_t		*exact;
	size_t		 n;

	if ((f = fopen(path, "rb")) == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	/* An allocation of exactly n, so that a sanitizer sees overreads. */
	if ((exact = malloc(n == 0 ? 1 : n)) == NULL)
		exit(1);
	for (size_t i = 0; i < n; i++)
		exact[i] = buf[i];
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

int
main(int argc, char **argv)
{
	struct dirent	*e;
	DIR		*d;
	char		 path[4096];
	int		 files = 0;

	for (int i = 1; i < argc; i++) {
		if ((d = opendir(argv[i])) == NULL) {
			perror(argv[i]);
			return (1);
		}
		while ((e = readdir(d)) != NULL) {
			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			replay_file(path);
			files++;
		}
		closedir(d);
	}
	printf("%d files replayed\n", files);
	return (files == 0);
}
