/* What the configuration says of calls and files. */
#include <stdlib.h>

#include "shardd/ape/bounds.h"
#include "shardd/kennel.h"

static const struct {
	const char	*key;		/* in ms, bytes, pieces */
	unsigned	 otherwise;
} bounds_rows[NBOUNDS] = {
	[BOUND_SKEW]	= { "ape_skew_ms", 60000 },
	[BOUND_AGE]	= { "ape_age_ms", 10000 },
	[BOUND_CALLS]	= { "ape_calls", 1000 },
	[BOUND_TREE]	= { "ape_tree_max", 64 << 20 },
	[BOUND_FILE]	= { "ape_file_max", 64 << 20 },
	[BOUND_SESSION]	= { "ape_session_max", 256 << 20 },
	[BOUND_FILES]	= { "ape_files_max", 1 << 30 },
};

unsigned
bounds_get(enum bound o)
{
	static unsigned	 known[NBOUNDS];
	static char	 asked[NBOUNDS];
	const char	*set;

	if (!asked[o]) {
		set = kennel_option(bounds_rows[o].key);
		known[o] = set == NULL ? bounds_rows[o].otherwise :
		    (unsigned)strtoul(set, NULL, 10);
		asked[o] = 1;
	}
	return (known[o]);
}
