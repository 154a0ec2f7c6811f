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

/* Read from, which was written, and write it to "to".  0, or -1: it may not be read. */
static int
rewrite(const struct buf *from, struct buf *to, const char *name)
{
	struct jss_pool	 pool;
	struct jss	*root;
	const char	*why;
	int		 status = -1;

	jss_pool_init(&pool, 0);
	root = jss_parse(&pool, from->data, from->len, 0, &why);
	/* What is written may be deeper or longer than what may be read. */
	if (root == NULL && strcmp(why, "nested too deeply") != 0 &&
	    strcmp(why, "too many values") != 0 &&
	    strcmp(why, "a pointer leads nowhere") != 0)
		abort();
	if (root != NULL && root->first != NULL) {
		if (write_root(to, name, root->first) == -1)
			abort();
		status = 0;
	}
	jss_pool_clear(&pool);
	return (status);
}

/*
 * Is {"name":v} read again, and then written to the same?  moved: v's pointers are
 * replaced, by what may have no tag, and then a name that ends like a tag ("a<!F>")
 * is read as a name and a tag; from there on it stays.
 */
static void
again(const char *name, const struct jss *v, int moved)
{
	struct buf	 first = { 0 }, second = { 0 }, third = { 0 };
	const struct buf *before = &first, *after = &second;

	if (write_root(&first, name, v) == 0 &&
	    rewrite(&first, &second, name) == 0) {
		if (moved && rewrite(&second, &third, name) == 0) {
			before = &second;
			after = &third;
		}
		if (before->len != after->len ||
		    memcmp(before->data, after->data, before->len) != 0)
			abort();
	}
	buf_clear(&first);
	buf_clear(&second);
	buf_clear(&third);
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
		again("data", v, 0);
		o = jss_new(&pool, JSS_OBJECT, JSS_PLAIN);
		if (jss_put(&pool, o, "moved", v) != NULL)
			again("data", o, 1);
	}
	jss_pool_clear(&pool);
	return (0);
}
