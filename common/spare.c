/* Memory that is kept for the next message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/spare.h"

#define SPARE_HEAD	8		/* of each piece is glibc's own */
#define SPARE_SMALLEST	64
#define SPARE_CLASSES	42		/* with it: 64, 80, 96, 112, 128, 160 ... */

#if defined(__SANITIZE_ADDRESS__) && !defined(SPARE_OFF)
#define SPARE_OFF	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SPARE_OFF	1
#endif
#endif

struct spare {
	struct spare	*next;
};

/* All of one size, the last put back on top. */
static struct {
	struct spare	*first;
	size_t		 bytes;
} spares[SPARE_CLASSES];

/* Four sizes between two powers of 2; the class of one, which is rounded up. */
static size_t
spare_class(size_t *size)
{
	size_t	 n = *size + SPARE_HEAD < SPARE_SMALLEST ? SPARE_SMALLEST - 1 :
		    *size + SPARE_HEAD - 1;
	size_t	 shift = 61 - (size_t)__builtin_clzll(n);

	*size = (((n >> shift) + 1) << shift) - SPARE_HEAD;
	return ((shift - 3) * 4 + (n >> shift) - 7);
}

void *
spare_get(size_t size)
{
	struct spare	*s;
	size_t		 k;

	if (size > SPARE_LARGEST)
		return (malloc(size));
	k = spare_class(&size);
	if ((s = spares[k].first) == NULL)
		return (malloc(size));
	spares[k].first = s->next;
	spares[k].bytes -= size;
	return (s);
}

void *
spare_zero(size_t size)
{
	void	*p = spare_get(size);

	if (p != NULL)
		memset(p, 0, size);
	return (p);
}

void
spare_put(void *p, size_t size)
{
#ifndef SPARE_OFF
	struct spare	*s = p;
	size_t		 k;

	if (p != NULL && size <= SPARE_LARGEST) {
		k = spare_class(&size);
		if (spares[k].bytes == 0 ||
		    spares[k].bytes + size <= SPARE_KEEP) {
			s->next = spares[k].first;
			spares[k].first = s;
			spares[k].bytes += size;
			return;
		}
	}
#else
	(void)size;
#endif
	free(p);
}
