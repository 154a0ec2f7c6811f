/* Any bytes behind a shard's page: what is said of its connections is refused, or all
 * of it is within its bounds. */
#include <sys/mman.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/cover.h"
#include "proto/cover_look.h"
#include "proto/page.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The page of a shard, with data from COVER_AT on. */
static int
page_of(const uint8_t *data, size_t size)
{
	struct page_head	 h = { .magic = PAGE_MAGIC,
				    .version = PAGE_VERSION, .readable = 1,
				    .incarnation = 1,
				    .work_size = sizeof(struct page_work) };
	int			 fd = memfd_create("page", MFD_CLOEXEC |
				    MFD_ALLOW_SEALING);

	if (fd == -1 || ftruncate(fd, (off_t)(COVER_AT + size)) == -1 ||
	    pwrite(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    pwrite(fd, data, size, COVER_AT) != (ssize_t)size ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == -1)
		abort();
	return (fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int			 fd = page_of(data, size);
	struct cover_look	*l = cover_look_new(fd, 1);
	struct covered		 c, again;
	struct buf		 b = { 0 };
	struct capsule		 cap;

	for (size_t i = 0; l != NULL && i < cover_look_count(l); i++) {
		if (cover_look_at(l, i, &c) == -1)
			continue;
		buf_reset(&b);
		if (c.id == 0 || c.rest > COVER_WRITING ||
		    capsule_encode(&b, &c.cap) == -1 ||
		    capsule_decode(&cap, b.data, b.len) == -1 ||
		    cap.id != c.id || !slice_eq(cap.uid, c.cap.uid))
			abort();
		if (cover_look_find(l, c.id, &again) == 0 && again.id != c.id)
			abort();
	}
	buf_clear(&b);
	cover_look_free(l);
	close(fd);
	return (0);
}
