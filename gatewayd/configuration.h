/* The configuration is where settings come from: flags, and INI files.  Flags win. */
#ifndef GATEWAYD_CONFIGURATION_H
#define GATEWAYD_CONFIGURATION_H

#include <stddef.h>

struct settings;

/* What a configuration that was read again has changed. */
struct configuration_news {
	char	 error[4096];	/* why it was not taken, a line each */
	char	 taken[2048];	/* keys that count now, "" if none */
	char	 left[2048];	/* keys that count after a restart */
};

/*
 * Parse argv and the file.  Exits by itself for --help and --version (0), and
 * for errors (a sentence to stderr that says what to do; status 2 for usage, 1
 * for configuration).  With --check it validates everything that can be known
 * without starting (worker executable, addresses, Redis URL, descriptor limit),
 * prints "configuration ok" and exits 0.
 */
void	 configuration_load(struct settings *s, int argc, char **argv);
/*
 * Read the file again: routes, and of [gateway] what is asked at each use (limit,
 * head_timeout, line_max, head_max, headers_max, keep_max, home_timeout, per_address,
 * accept_rate, log_level).  Other keys count at the next start, but must be right.
 * 0, and *news names those that have changed ("[gateway] shards, [worker] deflate");
 * or -1 with news->error, and nothing has changed.
 */
int	 configuration_reload(struct settings *s, struct configuration_news *news);

#endif
