/* Many sends in one system call. */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <liburing.h>

#include "shardd/client/burst.h"

#define BURST_SCRATCH	(256 << 10)
#define BURST_PENDING	INT32_MIN	/* not answered yet */

struct burst {
	struct io_uring	 ring;
	size_t		 n, used;	/* sends, bytes of scratch */
	struct {
		void		*who;
		struct slice	 data;
		int		 fd;
		int		 res;
	}		 at[BURST_MAX];
	char		 scratch[BURST_SCRATCH];
};

/* Nothing but sends, whoever gets hold of it.  (The library has calls for this,
 * but Debian's does not export them.) */
static int
burst_restrict(struct io_uring *ring)
{
	struct io_uring_restriction	 r[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP,
		  .sqe_op = IORING_OP_SEND },
	};

	if (syscall(SYS_io_uring_register, ring->ring_fd,
	    IORING_REGISTER_RESTRICTIONS, r, nitems(r)) == -1)
		return (-1);
	return ((int)syscall(SYS_io_uring_register, ring->ring_fd,
	    IORING_REGISTER_ENABLE_RINGS, NULL, 0));
}

struct burst *
burst_new(void)
{
	struct burst	*b;
	int		 rc;

	if ((b = malloc(sizeof(*b))) == NULL)
		return (NULL);
	b->n = b->used = 0;
	rc = io_uring_queue_init(BURST_MAX, &b->ring, IORING_SETUP_R_DISABLED);
	if (rc < 0) {
		free(b);
		errno = -rc;
		return (NULL);
	}
	if (burst_restrict(&b->ring) == 0)
		return (b);
	rc = errno;
	burst_free(b);
	errno = rc;
	return (NULL);
}

void
burst_free(struct burst *b)
{
	if (b == NULL)
		return;
	io_uring_queue_exit(&b->ring);
	free(b);
}

int
burst_room(const struct burst *b)
{
	return (b->n < BURST_MAX && b->used < BURST_SCRATCH / 2);
}

size_t
burst_count(const struct burst *b)
{
	return (b->n);
}

char *
burst_scratch(struct burst *b, size_t *n)
{
	*n = BURST_SCRATCH - b->used;
	return (b->scratch + b->used);
}

size_t
burst_add(struct burst *b, int fd, struct slice data, void *who)
{
	struct io_uring_sqe	*sqe = io_uring_get_sqe(&b->ring);

	if (data.data == b->scratch + b->used)
		b->used += data.len;
	b->at[b->n].who = who;
	b->at[b->n].data = data;
	b->at[b->n].fd = fd;
	b->at[b->n].res = BURST_PENDING;
	/* There is an entry for each: the ring is as long as at. */
	io_uring_prep_send(sqe, fd, data.data, data.len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	io_uring_sqe_set_data64(sqe, b->n);
	return (b->n++);
}

/* The sends that are answered. */
static unsigned
burst_reap(struct burst *b)
{
	struct io_uring_cqe	*cqe;
	unsigned		 head, n = 0;

	io_uring_for_each_cqe(&b->ring, head, cqe) {
		b->at[cqe->user_data].res = cqe->res;
		n++;
	}
	io_uring_cq_advance(&b->ring, n);
	return (n);
}

/* The kernel took some and not others; those it has not are done by hand. */
static void
burst_finish(struct burst *b, unsigned taken, unsigned reaped)
{
	struct io_uring_cqe	*cqe;

	while (reaped < taken && io_uring_wait_cqe(&b->ring, &cqe) == 0)
		reaped += burst_reap(b);
	for (size_t i = taken; i < b->n; i++) {
		b->at[i].res = (int)send(b->at[i].fd, b->at[i].data.data,
		    b->at[i].data.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (b->at[i].res == -1)
			b->at[i].res = -errno;
	}
}

int
burst_send(struct burst *b, burst_done_cb *done)
{
	int		 taken, rv = 0;
	unsigned	 reaped;

	do
		taken = io_uring_submit_and_wait(&b->ring, (unsigned)b->n);
	while (taken == -EINTR);
	reaped = burst_reap(b);
	if (taken != (int)b->n || reaped != b->n) {
		burst_finish(b, taken < 0 ? 0 : (unsigned)taken, reaped);
		rv = taken == (int)b->n ? 0 : -1;
	}
	for (size_t i = 0; i < b->n; i++) {
		if (b->at[i].res == BURST_PENDING)
			b->at[i].res = -EIO;
		errno = b->at[i].res < 0 ? -b->at[i].res : 0;
		done(b->at[i].who, b->at[i].res < 0 ? -1 : b->at[i].res,
		    b->at[i].data.len);
	}
	b->n = b->used = 0;
	return (rv);
}
