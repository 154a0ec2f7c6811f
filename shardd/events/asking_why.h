/* Why a question has no answer: as hosts and processes tell each other. */
#ifndef EVENTS_ASKING_WHY_H
#define EVENTS_ASKING_WHY_H

enum asking_why {
	ASKING_ANSWERED,
	ASKING_NOBODY,			/* there is no such client */
	ASKING_UNREACHED,		/* its host is not reached, over kennels alone */
	ASKING_LATE,			/* not in time */
	ASKING_GONE,			/* the client, or its process, has ended first */
	ASKING_FAILED,			/* no memory, or the question is too large */
	ASKING_NWHYS
};

#endif
