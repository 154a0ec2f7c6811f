module.exports = function (data) {
	this.publish("/message", data);
	return true;
};
