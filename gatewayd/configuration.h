/* The configuration is where settings come from: flags, and INI files.  Flags win. */
#ifndef GATEWAYD_CONFIGURATION_H
#define GATEWAYD_CONFIGURATION_H

#include <stddef.h>

struct settings;

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
 * accept_rate).  Other keys count at the next start, but must be right.  0, and text
 * names those that have changed ("[gateway] shards, [worker] deflate"; cut if
 * there is no room); or -1 with a sentence in text and nothing changed.
 */
int	 configuration_reload(struct settings *s, char *text, size_t size);

#endif
