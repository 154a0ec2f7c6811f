module.exports = (data) => data;
