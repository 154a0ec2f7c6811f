/*
 * Any bytes as JSS: what is read as a message's data is written as JSS that reads back
 * to the same, as it came and where it is moved to another place.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/jss_parse.h"
#include "proto/jss_write.h"

#define FUZZ_OUT	(8 << 20)	/* pointers may make much of little */

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Write {"name":v}.  0, or -1: it became too large. */
static int
write_root(struct buf *b, const char *name, const struct jss *v)
{
	b->max = FUZZ_OUT;
	buf_adds(b, "{");
	jss_write_member(b, name, v, NULL, NULL);
	buf_adds(b, "}");
	return (b->failed ? -1 : 0);
}

/* Is {"name":v} read again, and then written to the same? */
static void
again(const char *name, const struct jss *v)
{
	struct buf	 first = { 0 }, second = { 0 };
	struct jss_pool	 pool;
	struct jss	*root;
	const char	*why;

	jss_pool_init(&pool, 0);
	if (write_root(&first, name, v) == 0) {
		root = jss_parse(&pool, first.data, first.len, 0, &why);
		/* What is written may be deeper or longer than what may be read. */
		if (root == NULL && strcmp(why, "nested too deeply") != 0 &&
		    strcmp(why, "too many values") != 0 &&
		    strcmp(why, "a pointer leads nowhere") != 0)
			abort();
		if (root != NULL && root->first != NULL) {
			if (write_root(&second, name, root->first) == -1 ||
			    first.len != second.len ||
			    memcmp(first.data, second.data, first.len) != 0)
				abort();
		}
	}
	buf_clear(&first);
	buf_clear(&second);
	jss_pool_clear(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jss_pool	 pool;
	struct jss	*root, *o;
	const struct jss *v;
	const char	*why;

	jss_pool_init(&pool, 64 << 20);
	root = jss_parse(&pool, (const char *)data, size, 0, &why);
	if ((root == NULL) != (why != NULL))
		abort();
	if ((v = jss_member(root, "data", 4)) != NULL) {
		again("data", v);
		o = jss_new(&pool, JSS_OBJECT, JSS_PLAIN);
		if (jss_put(&pool, o, "moved", v) != NULL)
			again("data", o);
	}
	jss_pool_clear(&pool);
	return (0);
}
