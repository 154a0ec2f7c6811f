/*
 * Any bytes as a call whose argument names bodies that come apart, and files that are
 * shared: what it waits for is bounded, and each part has a name.  Bodies that come for it
 * are put in, and then it is written as an answer, with links in their place.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "proto/jss_parse.h"
#include "proto/jss_write.h"
#include "shardd/api/surroundings.h"
#include "shardd/ape/gather.h"
#include "shardd/options.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The name under which a body is offered; NULL: it is not one that was put. */
static const char *
link_of(const struct jss *v, void *arg)
{
	const struct part	*p = v->bytes;

	(void)arg;
	if (p == NULL)
		return (NULL);
	if (p->hash == NULL)
		abort();
	return ("LINK");
}

/* A process to be in. */
static void
surround(void)
{
	static struct surroundings around;
	static struct options	 options;

	if (around.base != NULL)
		return;
	options_init(&options);
	around.base = event_base_new();
	around.opt = &options;
	around.node = "fuzz";
	around.address = "fuzz/0#1";
	surroundings = &around;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jss_pool	 pool;
	struct part	*parts = NULL;
	struct gather	 g = { .pool = &pool, .parts = &parts };
	struct buf	 b = { .max = 8 << 20 };
	const struct jss *root, *v;
	const char	*why;
	size_t		 n = 0;

	surround();
	jss_pool_init(&pool, 16 << 20);
	root = jss_parse(&pool, (const char *)data, size, 0, &why);
	if ((v = jss_member(root, "data", 4)) != NULL &&
	    gather_find(&g, v, "0123456789ABCDEFGHJK") == 0) {
		for (struct gathered *one = g.all; one != NULL; one = one->next) {
			if (one->part->hash[0] == '\0' ||
			    strlen(one->part->hash) > UPLOAD_NAME_MAX)
				abort();
			part_set(one->part, -1);
			n++;
		}
		if (n != g.n || n > GATHER_MAX)
			abort();
		buf_adds(&b, "{");
		jss_write_member(&b, "data", v, link_of, NULL);
		buf_adds(&b, "}");
	}
	buf_clear(&b);
	part_clear(parts);
	jss_pool_clear(&pool);
	return (0);
}
