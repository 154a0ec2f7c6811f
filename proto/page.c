/* The page of a shard: made and written there, read by the gateway. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "proto/counters.h"
#include "proto/page.h"

_Static_assert(sizeof(struct page_head) == PAGE_WORK_AT, "layout");
_Static_assert(offsetof(struct page, work) == PAGE_WORK_AT, "layout");
_Static_assert(sizeof(struct page) <= PAGE_ROOM_AT, "layout");
_Static_assert(PAGE_ROOM_AT + sizeof(struct counters) <= PAGE_BYTES, "layout");

const char *
page_what_name(enum page_what what)
{
	static const char *const	 names[PAGE_NWHATS] = {
		[PAGE_NOTHING]	= "nothing",
		[PAGE_DECIDE]	= "decide",
		[PAGE_ONSTEP]	= "onstep",
		[PAGE_ONRESET]	= "onreset",
	};

	return (what < PAGE_NWHATS ? names[what] : "unknown");
}

/* ---- the shard ---- */

struct page *
page_new(uint64_t incarnation, int *fd)
{
	struct page	*p;
	int		 save;

	*fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd == -1)
		return (NULL);
	if (ftruncate(*fd, PAGE_BYTES) == -1 ||
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) == -1)
		goto fail;
	p = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (p == MAP_FAILED)
		goto fail;
	p->head = (struct page_head){
		.magic = PAGE_MAGIC, .version = PAGE_VERSION, .readable = 1,
		.incarnation = incarnation,
		.work_size = sizeof(struct page_work),
		.counters_size = sizeof(struct counters),
	};
	return (p);
fail:
	save = errno;
	close(*fd);
	*fd = -1;
	errno = save;
	return (NULL);
}

struct counters *
page_counters(struct page *p)
{
	return ((struct counters *)(void *)((char *)p + PAGE_ROOM_AT));
}

/* The fences keep the order for a reader who finds the process dead. */
void
page_at(struct page *p, enum page_what what, uint64_t replica, uint64_t origin,
    uint64_t number)
{
	p->work.replica = replica;
	p->work.origin = origin;
	p->work.number = number;
	atomic_signal_fence(memory_order_seq_cst);
	p->work.what = what;
	atomic_signal_fence(memory_order_seq_cst);
}

void
page_idle(struct page *p)
{
	atomic_signal_fence(memory_order_seq_cst);
	p->work.what = PAGE_NOTHING;
	atomic_signal_fence(memory_order_seq_cst);
}

/* ---- the gateway ---- */

int
page_check(int fd)
{
	struct stat	 st;
	int		 seals;

	/* Only memory has seals: to read from it never blocks. */
	if ((seals = fcntl(fd, F_GET_SEALS)) == -1 ||
	    (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) == -1 ||
	    st.st_size < (off_t)sizeof(struct page) || st.st_size > PAGE_MAX) {
		errno = EPROTO;
		return (-1);
	}
	return (0);
}

int
page_parse(const void *data, size_t len, uint64_t incarnation,
    struct page_work *work)
{
	struct page_head	 head;
	size_t			 size;

	if (len < sizeof(head))
		goto bad;
	memcpy(&head, data, sizeof(head));
	if (head.magic != PAGE_MAGIC || head.readable > PAGE_VERSION ||
	    head.version < head.readable || head.incarnation != incarnation)
		goto bad;
	size = head.work_size < sizeof(*work) ? head.work_size : sizeof(*work);
	if (size > len - PAGE_WORK_AT)
		goto bad;
	memset(work, 0, sizeof(*work));
	memcpy(work, (const char *)data + PAGE_WORK_AT, size);
	if (work->what < PAGE_NWHATS)
		return (0);
bad:
	errno = EPROTO;
	return (-1);
}

/* Copied by the kernel: whatever becomes of the memory, no signal comes of it. */
int
page_read(int fd, uint64_t incarnation, struct page_work *work)
{
	char	 copy[sizeof(struct page)];
	ssize_t	 n;

	if ((n = pread(fd, copy, sizeof(copy), 0)) == -1)
		return (-1);
	return (page_parse(copy, (size_t)n, incarnation, work));
}

/* A shard that writes meanwhile leaves each cell as it was, or as it is. */
int
page_read_counters(int fd, uint64_t incarnation, struct counters *c)
{
	_Alignas(uint64_t) char	 copy[PAGE_BYTES];
	struct page_head	 head;
	struct page_work	 work;
	size_t			 size;
	ssize_t			 n;

	if ((n = pread(fd, copy, sizeof(copy), 0)) == -1 ||
	    page_parse(copy, (size_t)n, incarnation, &work) == -1)
		return (-1);
	memset(c, 0, sizeof(*c));
	memcpy(&head, copy, sizeof(head));
	size = head.counters_size < sizeof(*c) ? head.counters_size :
	    sizeof(*c);
	if ((size_t)n <= PAGE_ROOM_AT)
		return (0);
	if (size > (size_t)n - PAGE_ROOM_AT)
		size = (size_t)n - PAGE_ROOM_AT;
	memcpy(c, copy + PAGE_ROOM_AT, size - size % sizeof(uint64_t));
	return (0);
}
