/* What the configuration says of calls and files. */
#include <stdlib.h>

#include "shardd/ape/options.h"
#include "shardd/kennel.h"

static const struct {
	const char	*key;		/* in ms, bytes, pieces */
	unsigned	 otherwise;
} options_rows[NOPTIONS] = {
	[OPTION_SKEW]	= { "ape_skew_ms", 60000 },
	[OPTION_AGE]	= { "ape_age_ms", 10000 },
	[OPTION_CALLS]	= { "ape_calls", 1000 },
	[OPTION_TREE]	= { "ape_tree_max", 64 << 20 },
};

unsigned
options_get(enum option o)
{
	static unsigned	 known[NOPTIONS];
	static char	 asked[NOPTIONS];
	const char	*set;

	if (!asked[o]) {
		set = kennel_option(options_rows[o].key);
		known[o] = set == NULL ? options_rows[o].otherwise :
		    (unsigned)strtoul(set, NULL, 10);
		asked[o] = 1;
	}
	return (known[o]);
}
