/* How a shard stands, in the cells of its page. */
#include <string.h>

#include "proto/counters.h"
#include "shardd/gauges.h"
#include "shardd/kennel.h"

void
gauges_name(const struct kennel_app *apps, size_t n)
{
	const char	*name;
	size_t		 len;

	for (size_t i = 0; i < n && i < COUNTERS_APPS; i++) {
		name = apps[i].name == NULL ? "main" : apps[i].name;
		if (i == COUNTERS_APPS - 1 && i + 1 < n)
			name = "other";
		len = strlen(name);
		memcpy(counters->apps[i].name, name, len < APP_MAX ? len :
		    APP_MAX);
	}
}

void
gauges_set(const struct gauges *now)
{
	counter_set(COUNTER_LINKS, now->links);
	counter_set(COUNTER_LINK_QUEUED, now->link_queued);
	counter_set(COUNTER_UNFINISHED, now->unfinished);
	counter_set(COUNTER_REDIS_UP, (uint64_t)now->redis_up);
	counter_set(COUNTER_LISTED, (uint64_t)now->listed);
}
